//! A command line of curl: which request it makes, and the same with more fields.
//!
//! Only options that are known are accepted: of another it would not be certain what it does to the request.

use std::fs;
use std::path::Path;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::{Failure, Unsigned, no};

/// A command line that was understood.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) request: Unsigned,
    words: Vec<String>,
    /// Fields that curl would add, said outright so that they are what was signed.
    said: Vec<String>,
}

/// Options that do not change what is covered, with a value.
const VALUED: &[&str] = &[
    "--cacert",
    "--capath",
    "--cert",
    "--connect-timeout",
    "--connect-to",
    "--dump-header",
    "--interface",
    "--limit-rate",
    "--max-time",
    "--noproxy",
    "--output",
    "--proxy",
    "--resolve",
    "--retry",
    "--retry-delay",
    "--retry-max-time",
    "--speed-limit",
    "--speed-time",
    "--stderr",
    "--trace",
    "--trace-ascii",
    "--unix-socket",
    "--write-out",
    "-D",
    "-E",
    "-Y",
    "-m",
    "-o",
    "-w",
    "-x",
    "-y",
];

/// The same, without one.
const FLAGS: &[&str] = &[
    "--compressed",
    "--fail",
    "--fail-with-body",
    "--http1.1",
    "--http2",
    "--http2-prior-knowledge",
    "--include",
    "--insecure",
    "--no-buffer",
    "--path-as-is",
    "--progress-bar",
    "--remote-name",
    "--show-error",
    "--silent",
    "--tlsv1.2",
    "--tlsv1.3",
    "--verbose",
    "-#",
    "-4",
    "-6",
    "-N",
    "-O",
    "-S",
    "-f",
    "-i",
    "-k",
    "-s",
    "-v",
    "-sS",
    "-fsS",
    "-sv",
    "-is",
    "-si",
    "-sSf",
    "-vs",
    "-ik",
    "-sk",
    "-ks",
    "-fsSL",
];

#[derive(Debug, Default)]
struct Read {
    method: Option<String>,
    head: bool,
    get: bool,
    json: bool,
    url: Option<String>,
    headers: HeaderMap,
    data: Option<Vec<u8>>,
}

pub(super) fn read(words: &[String]) -> Result<Command, Failure> {
    let Some((first, rest)) = words.split_first() else {
        return Err(usage("no command"));
    };
    if Path::new(first)
        .file_name()
        .is_none_or(|name| name != "curl")
    {
        return Err(usage("only command lines of curl are understood"));
    }
    let mut read = Read::default();
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        read.word(word, &mut rest)?;
    }
    let (request, said) = read.request()?;
    Ok(Command {
        request,
        words: words.to_vec(),
        said,
    })
}

impl Read {
    fn word<'a>(
        &mut self,
        word: &str,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), Failure> {
        if !word.starts_with('-') || word == "-" {
            return self.take_url(word);
        }
        if FLAGS.contains(&word) {
            return match word.contains('L') && !word.starts_with("--") {
                true => Err(usage(
                    "a redirect would have to be signed anew: leave -L out",
                )),
                false => Ok(()),
            };
        }
        match word {
            "-I" | "--head" => {
                self.head = true;
                return Ok(());
            }
            "-G" | "--get" => {
                self.get = true;
                return Ok(());
            }
            "-g" | "--globoff" => return Ok(()),
            _ => {}
        }
        // `-XPOST` is `-X POST`.
        let (option, value) = match word.split_at_checked(2) {
            Some((short, value)) if !word.starts_with("--") && !value.is_empty() => {
                (short, Some(value))
            }
            _ => (word, None),
        };
        let mut value = || {
            value
                .map(str::to_owned)
                .or_else(|| rest.next().cloned())
                .ok_or_else(|| usage(format!("{word} needs a value")))
        };
        match option {
            "-X" | "--request" => self.method = Some(value()?),
            "-H" | "--header" => self.take_header(&value()?)?,
            "-d" | "--data" | "--data-ascii" => {
                let value = value()?;
                let data = match value.strip_prefix('@') {
                    // As curl reads it: without line ends.
                    Some(file) => {
                        let mut data = read_file(file)?;
                        data.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
                        data
                    }
                    None => value.into_bytes(),
                };
                self.add_data(data, b"&");
            }
            "--data-raw" => {
                let data = value()?.into_bytes();
                self.add_data(data, b"&");
            }
            "--data-binary" | "--json" => {
                let is_json = option == "--json";
                let value = value()?;
                let data = match value.strip_prefix('@') {
                    Some(file) => read_file(file)?,
                    None => value.into_bytes(),
                };
                self.json |= is_json;
                self.add_data(data, if is_json { b"" } else { b"&" });
            }
            "--url" => {
                let url = value()?;
                self.take_url(&url)?;
            }
            "-A" | "--user-agent" => self.set("user-agent", &value()?)?,
            "-e" | "--referer" => self.set("referer", &value()?)?,
            "-b" | "--cookie" => self.set("cookie", &value()?)?,
            "-u" | "--user" => {
                use base64::Engine as _;
                let user = value()?;
                let basic = base64::engine::general_purpose::STANDARD.encode(user);
                let basic = HeaderValue::from_str(&format!("Basic {basic}")).map_err(no)?;
                self.headers.insert(AUTHORIZATION, basic);
            }
            option if VALUED.contains(&option) => {
                value()?;
            }
            _ => {
                let text = format!("{word} is not an option of curl that is understood here");
                return Err(usage(text));
            }
        }
        Ok(())
    }

    fn take_url(&mut self, url: &str) -> Result<(), Failure> {
        if self.url.replace(url.to_owned()).is_some() {
            return Err(usage(
                "more than one URL: each request has a signature of its own",
            ));
        }
        Ok(())
    }

    fn take_header(&mut self, line: &str) -> Result<(), Failure> {
        let Some((name, value)) = line.split_once(':') else {
            return Err(usage(format!("-H {line}: no field with a value")));
        };
        let value = value.trim();
        if value.is_empty() {
            return Err(usage(format!("-H {line}: curl would leave the field out")));
        }
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(no)?;
        self.headers
            .append(name, HeaderValue::from_str(value).map_err(no)?);
        Ok(())
    }

    fn set(&mut self, name: &'static str, value: &str) -> Result<(), Failure> {
        let value = HeaderValue::from_str(value).map_err(no)?;
        self.headers.entry(name).or_insert(value);
        Ok(())
    }

    fn add_data(&mut self, data: Vec<u8>, between: &[u8]) {
        match &mut self.data {
            None => self.data = Some(data),
            Some(before) => {
                before.extend_from_slice(between);
                before.extend_from_slice(&data);
            }
        }
    }

    fn request(mut self) -> Result<(Unsigned, Vec<String>), Failure> {
        let url = self.url.take().ok_or_else(|| usage("no URL"))?;
        let url = url.split('#').next().unwrap_or_default();
        if url.contains(['{', '}', '[', ']']) && !url.contains("://[") {
            return Err(usage(
                "curl reads brackets in a URL as several URLs: encode them",
            ));
        }
        let uri: Uri = url
            .parse()
            .map_err(|_| usage(format!("`{url}` is not a URL")))?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) =
            (uri.scheme_str(), uri.authority())
        else {
            return Err(usage(format!(
                "`{url}` is not a URL with http:// or https://"
            )));
        };
        if authority.as_str().contains('@') {
            return Err(usage("write the user with -u, not into the URL"));
        }
        if uri
            .path()
            .split('/')
            .any(|segment| matches!(segment, "." | ".."))
        {
            return Err(usage(
                "curl would take dots out of the path: leave them out",
            ));
        }
        if self.get {
            return Err(usage("-G is not understood: write the query into the URL"));
        }
        let mut said = Vec::new();
        let mut say = |headers: &mut HeaderMap, name: HeaderName, value: &'static str| {
            if !headers.contains_key(&name) {
                said.push(format!("{name}: {value}"));
                headers.insert(name, HeaderValue::from_static(value));
            }
        };
        if self.json {
            say(&mut self.headers, CONTENT_TYPE, "application/json");
            say(&mut self.headers, http::header::ACCEPT, "application/json");
        } else if self.data.is_some() {
            say(
                &mut self.headers,
                CONTENT_TYPE,
                "application/x-www-form-urlencoded",
            );
        }
        let usual = match (&self.data, self.head) {
            (Some(_), _) => "POST",
            (None, true) => "HEAD",
            (None, false) => "GET",
        };
        let host = self.headers.get(HOST).and_then(|host| host.to_str().ok());
        let request = Unsigned {
            method: self.method.unwrap_or_else(|| usual.to_owned()),
            scheme: scheme.to_owned(),
            authority: host.unwrap_or_else(|| authority.as_str()).to_owned(),
            path: uri.path().to_owned(),
            query: uri.query().map(str::to_owned),
            headers: self.headers.clone(),
            body: self.data.unwrap_or_default(),
        };
        Ok((request, said))
    }
}

impl Command {
    /// The command line with the new fields, as a shell reads it.
    pub(super) fn with(&self, added: &[(&'static str, String)]) -> String {
        let mut words: Vec<String> = self.words.iter().map(|word| quoted(word)).collect();
        let added = added.iter().map(|(name, value)| format!("{name}: {value}"));
        for line in self.said.iter().cloned().chain(added) {
            words.push("-H".to_owned());
            words.push(quoted(&line));
        }
        let mut text = words.join(" ");
        text.push('\n');
        text
    }
}

fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn read_file(file: &str) -> Result<Vec<u8>, Failure> {
    if file == "-" {
        return Err(usage(
            "curl reads its data from standard input: name a file",
        ));
    }
    fs::read(file).map_err(|error| Failure::Environment(format!("cannot read `{file}`: {error}")))
}

fn usage(text: impl Into<String>) -> Failure {
    Failure::Usage(text.into())
}
