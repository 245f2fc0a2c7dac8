//! Formats that many makers share: password files, cookies, one-time passwords, key sets.

use super::super::super::matcher::Set;
use super::super::super::matcher::kind::{Check, Kind, Left, Shape, Step};

use Check::{BasicPair, Mixed, Opaque, Plausible};

table! {
    "password-hash-bcrypt" Medium "hash of a password, by bcrypt"
        ["$2a$" "$2b$" "$2y$"] [(DIGIT 2) "$" (CRYPT 53)] Mixed(370), left Left::Any;
    "password-hash-crypt" Medium "hash of a password, as in /etc/shadow or .htpasswd"
        ["$1$" "$5$" "$6$" "$apr1$" "$y$j9T$" "$gy$j9T$"] [(CRYPT 1 40) "$" (CRYPT 22 86)] Mixed(350), left Left::Any;
    "password-hash-rounds" Medium "hash of a password, as in /etc/shadow, with its rounds"
        ["$5$rounds=" "$6$rounds="] [(DIGIT 4 9) "$" (CRYPT 1 16) "$" (CRYPT 43 86)] Mixed(350), left Left::Any;
    "password-hash-argon2" Medium "hash of a password, by Argon2"
        ["$argon2i$v=19$m=" "$argon2d$v=19$m=" "$argon2id$v=19$m="]
        [(DIGIT 2 8) ",t=" (DIGIT 1 3) ",p=" (DIGIT 1 3) "$" (CRYPT 11 64) "$" (CRYPT 22 90)] Mixed(350), left Left::Any;
    "password-hash-pbkdf2" Medium "hash of a password, by Django"
        ["pbkdf2_sha256$"] [(DIGIT 4 8) "$" (ALNUM 8 40) "$" (BASE64 43) "="] Mixed(350), left Left::Any;
    "otp-secret" High "secret of one-time passwords, in an otpauth URL"
        ["?secret=" "&secret="] [(BASE32 16 64) (EQUALS 0 6)] Plausible(270), left Left::Any;
    "authorization-token" High "token of an authorization of another scheme"
        ["SSWS " "authorization: token " "Authorization: token " "Authorization: Token " "Authorization: ApiKey "
         "authorization: ApiKey " "authorization: Token "]
        [(BASE64_URL_DOT 20 255) (EQUALS 0 2)] Opaque(300), left Left::Any, not WORD;
    "session-cookie" Medium "session cookie, in text that quotes HTTP"
        ["JSESSIONID=" "PHPSESSID=" "ASP.NET_SessionId=" "connect.sid=" "sessionid=" "_session=" "session="]
        [(BASE64_PERCENT 20 400)] Opaque(330), left Left::Part, not WORD;
    "docker-config-auth" High "user and password of a registry, in the configuration of Docker"
        ["\"auth\":\"" "\"auth\": \"" "auth=\""] [(BASE64 8 400) (EQUALS 0 2)] BasicPair, left Left::Any;
    "jwk-private-key" Critical "private part of a JSON Web Key (RFC 7517)"
        ["\"d\":\"" "\"d\": \""] [(BASE64_URL 43 700)] Mixed(400), left Left::Any;
    "jwk-private-member" Critical "private part of a JSON Web Key (RFC 7517), as a member by itself"
        ["d=\""] [(BASE64_URL 43 700)] Mixed(400);
    "jwk-symmetric-key" High "symmetric JSON Web Key (RFC 7517)"
        ["\"k\":\"" "\"k\": \""] [(BASE64_URL 43 200)] Mixed(400), left Left::Any;
    "jwk-symmetric-member" High "symmetric JSON Web Key (RFC 7517), as a member by itself"
        ["k=\""] [(BASE64_URL 43 200)] Mixed(400);
    "netrc-login" High "login and password in a .netrc"
        ["login "] [(BASE64_URL_DOT 1 64) " password " (NO_SPACE 6 128)] Mixed(250);
    "pgpass-password" High "password in a .pgpass"
        [":5432:" ":5433:" ":*:"] [(BASE64_URL_DOT 1 63) ":" (BASE64_URL_DOT 1 63) ":" (NO_SPACE 6 128)] Mixed(250), left Left::Any;
    "jwe" Medium "encrypted JSON Web Token (RFC 7516), in five parts"
        ["eyJ"] [(BASE64_URL 16 600) "." (BASE64_URL 0 800) "." (BASE64_URL 16 22) "." (BASE64_URL_DOT 8 ..)] Mixed(400);
}
