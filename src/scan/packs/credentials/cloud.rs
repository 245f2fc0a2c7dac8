//! Clouds, databases, infrastructure.

use super::super::super::matcher::Set;
use super::super::super::matcher::kind::{Check, Kind, Left, Seal, Shape, Step};

use Check::{Decodes, Holds, Mixed, Plausible, Sealed};

table! {
    "aws-access-key-id" High "AWS access key id, long-lived or temporary"
        ["AKIA" "ASIA" "ABIA" "ACCA"] [(BASE32 16)] Plausible(250);
    "aws-session-token" High "AWS session token"
        ["IQoJb3JpZ2lu" "FwoGZXIvYXdz"] [(BASE64 180 ..)] Plausible(400);
    "aws-bedrock-key" Critical "AWS Bedrock API key"
        ["ABSK"] [(BASE64 109 270) (EQUALS 0 2)] Plausible(400);
    "aws-bedrock-short-key" High "AWS Bedrock API key of short life: a pre-signed request in base64"
        ["bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t"] [(BASE64 100 ..)] Plausible(400);
    "aws-presigned-url" Low "signature of an AWS URL that expires"
        ["X-Amz-Signature="] [(HEX 64)] Plausible(300), left Left::Any;
    "aws-mws-key" High "Amazon Marketplace Web Service token"
        ["amzn.mws."] [UUID] Plausible(270);
    "aws-appsync-key" Medium "AWS AppSync API key"
        ["da2-"] [(LOWER_ALNUM 26)] Mixed(330);
    "gcp-api-key" High "Google API key"
        ["AIza"] [(BASE64_URL 35)] Plausible(330);
    "gemini-api-key" High "Google Gemini API key of the new form"
        ["AQ.Ab8RN6"] [(BASE64_URL 44)] Plausible(370);
    "gcp-oauth-token" High "Google OAuth access token"
        ["ya29."] [(BASE64_URL 20 ..)] Plausible(300);
    "gcp-refresh-token" Critical "Google OAuth refresh token"
        ["1//0"] [(BASE64_URL 40 120)] Mixed(380);
    "gcp-oauth-client-secret" High "Google OAuth client secret"
        ["GOCSPX-"] [(BASE64_URL 28)] Plausible(330);
    "azure-storage-key" Critical "Azure Storage or Cosmos DB account key"
        ["AccountKey="] [(BASE64 86) "=="] Plausible(400);
    "azure-storage-key-bare" Critical "Azure Storage or Cosmos DB account key without its name"
        ["+ASt" "ACDb"] [(BASE64 6) "=="] Plausible(150), left Left::Head(Set::BASE64, 76, 76);
    "azure-sas" High "signature of an Azure shared access signature or Logic App URL"
        ["sig="] [(BASE64_PERCENT 43 90) (EQUALS 0 1)] Decodes(32, 380);
    "azure-logic-app-url" High "signature of a Power Automate or Logic App trigger URL"
        ["&sig="] [(BASE64_URL 43)] Mixed(400), left Left::Any;
    "azure-shared-access-key" Critical "Azure Service Bus, Event Hubs or IoT Hub access key"
        ["SharedAccessKey="] [(BASE64 43) "="] Plausible(380);
    "azure-shared-access-key-bare" Critical "Azure messaging access key without its name"
        ["+ASb" "+AEh" "+ARm" "AIoT"] [(BASE64 6) "="] Plausible(150), left Left::Head(Set::BASE64, 33, 33);
    "azure-app-config-secret" High "secret of an Azure App Configuration connection string"
        [";Secret="] [(BASE64 42 90) (EQUALS 0 2)] Plausible(380), left Left::Any;
    "azure-client-secret" Critical "Entra ID client secret; its first three characters are not protected"
        ["0Q~" "1Q~" "2Q~" "3Q~" "4Q~" "5Q~" "6Q~" "7Q~" "8Q~" "9Q~"]
        [(UNRESERVED 31 34)] Plausible(350), left Left::Run(Set::UNRESERVED, 3, 3);
    "azure-container-registry-key" High "Azure Container Registry password"
        ["+ACR"] [(ALNUM 6)] Plausible(150), left Left::Head(Set::BASE64, 42, 42);
    "azure-openai-key" Critical "Azure OpenAI or AI services key"
        ["JQQJ99"] [(ALNUM 24 28)] Holds("AC", 280), left Left::Head(Set::ALNUM, 52, 52);
    "azure-devops-pat" Critical "Azure DevOps personal access token"
        ["AZDO"] [(ALNUM 4)] Check::None, left Left::Head(Set::ALNUM, 76, 76);
    "azure-function-key" High "Azure Functions key"
        ["AzFu"] [(BASE64_URL 6) (EQUALS 0 2)] Plausible(150), left Left::Head(Set::BASE64_URL, 44, 44);
    "digitalocean-token" High "DigitalOcean personal, OAuth or refresh token"
        ["dop_v1_" "doo_v1_" "dor_v1_"] [(HEX 64)] Plausible(300);
    "alibaba-access-key-id" Medium "Alibaba Cloud access key id"
        ["LTAI"] [(ALNUM 17 21)] Mixed(280);
    "alibaba-sts-key-id" Medium "Alibaba Cloud temporary access key id"
        ["STS."] [(ALNUM 20 40)] Mixed(310);
    "alibaba-sts-token" High "Alibaba Cloud security token"
        ["CAIS"] [(BASE64 200 ..)] Plausible(400);
    "tencent-secret-id" Medium "Tencent Cloud secret id"
        ["AKID"] [(ALNUM 32)] Mixed(340);
    "yandex-api-key" High "Yandex Cloud API key"
        ["AQVN"] [(BASE64_URL 35)] Plausible(340);
    "yandex-iam-token" High "Yandex Cloud IAM token"
        ["t1."] [(BASE64_URL 20 400) "." (BASE64_URL 86)] Mixed(400);
    "yandex-static-key" High "Yandex Cloud static secret key"
        ["YCA" "YCB" "YCC" "YCD" "YCE" "YCF" "YCG" "YCH" "YCI" "YCJ" "YCK" "YCL" "YCM"
         "YCN" "YCO" "YCP" "YCQ" "YCR" "YCS" "YCT" "YCU" "YCV" "YCW" "YCX" "YCY" "YCZ"
         "YCa" "YCb" "YCc" "YCd" "YCe" "YCf" "YCg" "YCh" "YCi" "YCj" "YCk" "YCl" "YCm"
         "YCn" "YCo" "YCp" "YCq" "YCr" "YCs" "YCt" "YCu" "YCv" "YCw" "YCx" "YCy" "YCz"
         "YC0" "YC1" "YC2" "YC3" "YC4" "YC5" "YC6" "YC7" "YC8" "YC9" "YC-" "YC_"]
        [(BASE64_URL 37)] Mixed(360);
    "scaleway-access-key" Medium "Scaleway access key id"
        ["SCW"] [(UPPER_ALNUM 17)] Mixed(280);
    "exoscale-api-key" Medium "Exoscale API key id"
        ["EXO"] [(HEX 24 30)] Mixed(270);
    "upcloud-token" High "UpCloud API token"
        ["ucat_"] [(ALNUM 26 60)] Mixed(320);
    "heroku-key" High "Heroku API key of the new form"
        ["HRKU-AA"] [(BASE64_URL 58)] Plausible(380);
    "fly-token" High "Fly.io personal token"
        ["fo1_"] [(BASE64_URL 43)] Plausible(370);
    "fly-macaroon" High "Fly.io access token of the macaroon form"
        ["fm1a_" "fm1r_" "fm2_"] [(BASE64_ANY 100 ..)] Plausible(400);
    "vercel-token" High "Vercel personal, integration, app, refresh or gateway token"
        ["vcp_" "vci_" "vca_" "vcr_" "vck_"] [(BASE64_URL 56)] Plausible(380);
    "netlify-token" High "Netlify personal access token"
        ["nfp_"] [(ALNUM 36)] Mixed(350);
    "cloudflare-api-token" High "Cloudflare API token or key of the new form"
        ["cfut_" "cfat_" "cfk_"] [(ALNUM 40) (HEX 8)] Plausible(350);
    "cloudflare-origin-ca-key" High "Cloudflare Origin CA key"
        ["v1.0-"] [(HEX 24) "-" (HEX 146)] Plausible(320);
    "render-key" High "Render API key"
        ["rnd_"] [(ALNUM 28)] Mixed(330);
    "supabase-key" High "Supabase personal token"
        ["sbp_"] [(HEX 40)] Plausible(290);
    "supabase-secret-key" Critical "Supabase secret API key"
        ["sb_secret_"] [(BASE64_URL 31)] Plausible(330);
    "neon-key" High "Neon API key"
        ["napi_"] [(LOWER_ALNUM 64)] Plausible(370);
    "planetscale-token" High "PlanetScale password, service or OAuth token"
        ["pscale_tkn_" "pscale_pw_" "pscale_oauth_"] [(BASE64_URL_DOT 32 64)] Plausible(330);
    "aiven-password" High "Aiven service password"
        ["AVNS_"] [(BASE64_URL 19)] Plausible(300);
    "mongodb-atlas-secret" High "MongoDB Atlas service account secret"
        ["mdb_sa_sk_"] [(BASE64_URL 40)] Plausible(370);
    "databricks-token" High "Databricks personal access token"
        ["dapi"] [(HEX 32)] Plausible(280);
    "databricks-oauth-secret" High "Databricks OAuth secret"
        ["dose"] [(HEX 32)] Plausible(280);
    "clickhouse-cloud-key" High "ClickHouse Cloud API secret"
        ["4b1d"] [(ALNUM 38)] Mixed(360);
    "cockroach-cloud-key" High "CockroachDB Cloud API key"
        ["CCDB1_"] [(ALNUM 22) "_" (ALNUM 40)] Plausible(380);
    "datastax-token" High "DataStax Astra application token"
        ["AstraCS:"] [(ALNUM 20 40) ":" (HEX 64)] Plausible(330);
    "datastax-short-token" High "DataStax Astra token without its second half"
        ["AstraCS:"] [(ALNUM 20 40)] Mixed(300);
    "elastic-cloud-key" High "Elastic Cloud API key"
        ["essu_"] [(BASE64_ANY 60 200) (EQUALS 0 2)] Plausible(370);
    "openshift-token" High "OpenShift OAuth token"
        ["sha256~"] [(BASE64_URL 43)] Plausible(370);
    "tailscale-key" High "Tailscale auth, API or OAuth client key"
        ["tskey-auth-" "tskey-api-" "tskey-client-" "tskey-scim-" "tskey-webhook-"]
        [(ALNUM 10 24) "-" (ALNUM 24 40)] Plausible(350);
    "defined-networking-key" High "Defined Networking API key"
        ["dnkey-"] [(BASE64_URL 26) "-" (BASE64_URL 52)] Plausible(380);
    "vault-token" Critical "HashiCorp Vault service, batch or recovery token"
        ["hvs." "hvb." "hvr."] [(BASE64_URL 90 300)] Plausible(380);
    "doppler-token" High "Doppler personal, CLI, service account, SCIM or audit token"
        ["dp.pt." "dp.ct." "dp.sa." "dp.scim." "dp.audit."] [(ALNUM 40 44)] Plausible(350);
    "doppler-service-token" High "Doppler service token, with or without the name of its environment"
        ["dp.st."] [(BASE64_URL_DOT 40 80)] Plausible(350), not ALNUM_DASH;
    "onepassword-service-token" Critical "1Password service account token"
        ["ops_eyJ"] [(BASE64_ANY 250 ..)] Plausible(400);
    "onepassword-secret-key" Critical "1Password account secret key"
        ["A3-"] [(UPPER_ALNUM 6) "-" (UPPER_ALNUM 11) "-" (UPPER_ALNUM 5) "-" (UPPER_ALNUM 5) "-" (UPPER_ALNUM 5)]
        Mixed(330);
    "age-secret-key" Critical "age identity, the private key of a file encryption tool"
        ["AGE-SECRET-KEY-1"] [(UPPER_ALNUM 58)] Sealed(Seal::Bech32, 350);
    "infisical-token" High "Infisical service token"
        ["st."] [(HEX 24) "." (HEX 32) "." (HEX 32)] Plausible(310);
    "backblaze-key" High "Backblaze B2 application key"
        ["K001" "K002" "K003" "K004" "K005"] [(BASE64 27)] Mixed(340);
}
