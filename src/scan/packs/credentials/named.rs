//! Keys that look like nothing in particular and are told by the name of their vendor beside them.
//!
//! The name, a word such as `key` or `token`, and the value within 64 bytes, in any of the ways in which code, files and
//! prose put them: `FASTLY_API_TOKEN=...`, `"fastly": { "token": "..." }`, `the Fastly token is ...`.

use super::super::super::matcher::Set;
use super::super::super::matcher::kind::{Check, Kind, Left, Shape, Step};

use Check::{Mixed, Plausible};

named! {
    // Source control, build services, registries.
    "github-oauth-secret" High "secret of a GitHub OAuth app" ["github"] [(HEX 40)] Mixed(290);
    "gitea-token" High "Gitea or Forgejo access token" ["gitea" "forgejo"] [(HEX 40)] Mixed(290);
    "bitbucket-client-secret" High "Bitbucket OAuth client secret" ["bitbucket"] [(BASE64_URL 32 64)] Mixed(340);
    "travis-token" High "Travis CI access token" ["travis"] [(BASE64_URL 20 22)] Mixed(310);
    "drone-token" High "Drone CI access token" ["drone"] [(LOWER_ALNUM 32)] Mixed(330);
    "codecov-token" Medium "Codecov upload token" ["codecov"] [(ALNUM_DASH 32 36)] Mixed(270);
    "coveralls-token" Medium "Coveralls repository token" ["coveralls"] [(ALNUM 32 37)] Mixed(320);
    "percy-token" Medium "Percy project token" ["percy"] [(HEX 64)] Mixed(300);
    "cypress-key" Medium "Cypress Cloud record key" ["cypress"] [UUID] Plausible(270);
    "snyk-token" High "Snyk API token" ["snyk"] [UUID] Plausible(270);
    "jenkins-token" High "Jenkins API token" ["jenkins"] [(HEX 32 34)] Mixed(280);
    "bitrise-token" High "Bitrise access token" ["bitrise"] [(BASE64_URL 86)] Mixed(400);
    "replit-token" High "Replit token" ["replit"] [(BASE64_URL 32 100)] Mixed(350);
    "expo-token" High "Expo access token" ["expo"] [(BASE64_URL 40)] Mixed(360);
    // Clouds, databases, infrastructure.
    "alibaba-secret-key" Critical "Alibaba Cloud access key secret" ["alibaba" "aliyun" "alicloud"] [(ALNUM 30)] Mixed(340);
    "tencent-secret-key" Critical "Tencent Cloud secret key" ["tencent"] [(ALNUM 32)] Mixed(340);
    "ibm-cloud-key" High "IBM Cloud API key" ["ibm"] [(BASE64_URL 44)] Mixed(370);
    "ovh-secret" High "OVH application secret or consumer key" ["ovh"] [(ALNUM 32)] Mixed(340);
    "scaleway-secret-key" High "Scaleway secret key" ["scaleway" "scw"] [UUID] Plausible(270);
    "vultr-key" High "Vultr API key" ["vultr"] [(UPPER_ALNUM 36)] Mixed(340);
    "linode-token" High "Linode (Akamai) personal access token" ["linode"] [(HEX 64)] Mixed(300);
    "civo-key" High "Civo API key" ["civo"] [(ALNUM 50)] Mixed(370);
    "hetzner-token" High "Hetzner Cloud API token" ["hetzner" "hcloud"] [(ALNUM 64)] Mixed(390);
    "exoscale-secret" High "Exoscale API secret" ["exoscale"] [(BASE64_URL 43)] Mixed(370);
    "wasabi-secret-key" High "Wasabi secret key" ["wasabi"] [(ALNUM 40)] Mixed(360);
    "digitalocean-spaces-secret" High "DigitalOcean Spaces secret key" ["spaces"] [(BASE64 43)] Mixed(370);
    "heroku-legacy-key" High "Heroku API key of the old form" ["heroku"] [UUID] Plausible(270);
    "vercel-legacy-token" High "Vercel token of the old form" ["vercel" "zeit"] [(ALNUM 24)] Mixed(330);
    "netlify-legacy-token" High "Netlify token of the old form" ["netlify"] [(BASE64_URL 40 46)] Mixed(370);
    "cloudflare-legacy-token" High "Cloudflare API token of the old form" ["cloudflare"] [(BASE64_URL 40)] Mixed(360);
    "cloudflare-global-key" Critical "Cloudflare global API key" ["cloudflare"] [(HEX 37)] Mixed(290);
    "fastly-token" High "Fastly API token" ["fastly"] [(BASE64_URL 32)] Mixed(340);
    "railway-token" High "Railway token" ["railway"] [UUID] Plausible(270);
    "koyeb-token" High "Koyeb API token" ["koyeb"] [(LOWER_ALNUM 64)] Mixed(370);
    "northflank-token" High "Northflank API token" ["northflank"] [(BASE64_URL 40 64)] Mixed(360);
    "upstash-token" High "Upstash REST token" ["upstash"] [(BASE64_URL 36 64) (EQUALS 0 2)] Mixed(360);
    "aiven-token" High "Aiven API token" ["aiven"] [(BASE64 300 400) (EQUALS 0 2)] Mixed(400);
    "snowflake-token" High "Snowflake programmatic access token" ["snowflake"] [(BASE64_URL_DOT 100 600)] Mixed(400);
    "confluent-secret" High "Confluent API secret" ["confluent"] [(BASE64 64)] Mixed(390);
    "ngrok-token" High "ngrok authentication token" ["ngrok"] ["2" (ALNUM 24 28) "_" (ALNUM 19 24)] Mixed(360);
    "vault-legacy-token" Critical "Vault token of the old form" ["vault"] ["s." (ALNUM 24)] Mixed(330);
    "vault-approle-secret" High "secret id of a Vault AppRole" ["vault" "approle"] [UUID] Plausible(270);
    "hcp-client-secret" High "HashiCorp Cloud Platform client secret" ["hcp"] [(BASE64_URL 64)] Mixed(390);
    "consul-token" High "Consul ACL token" ["consul"] [UUID] Plausible(270);
    "nomad-token" High "Nomad ACL token" ["nomad"] [UUID] Plausible(270);
    "akeyless-key" High "Akeyless access key" ["akeyless"] [(BASE64 40 64) (EQUALS 0 2)] Mixed(360);
    "bitwarden-token" High "Bitwarden access token or client secret" ["bitwarden" "bws"] [(ALNUM 30)] Mixed(340);
    "bitwarden-machine-token" High "access token of a Bitwarden machine account" ["bitwarden" "bws"]
        ["0." (BASE64_URL 36) "." (ALNUM 30) ":" (BASE64 22 24) (EQUALS 0 2)] Mixed(370);
    "akeyless-access-id" Medium "Akeyless access id" ["akeyless"] ["p-" (ALNUM 12 16)] Mixed(270);
    "azure-legacy-key" High "Azure AI services key of the old form" ["azure" "cognitive"] [(HEX 32)] Mixed(280);
    "azure-devops-legacy-pat" Critical "Azure DevOps personal access token of the old form" ["azure" "devops"]
        [(LOWER_ALNUM 52)] Mixed(360);
    // Models.
    "mistral-api-key" High "Mistral AI API key" ["mistral"] [(ALNUM 32)] Mixed(340);
    "cohere-api-key" High "Cohere API key" ["cohere" "co_api"] [(ALNUM 40)] Mixed(360);
    "zai-api-key" High "Z.ai (Zhipu) API key" ["zai" "zhipu" "zhipuai" "bigmodel" "glm"] [(HEX 32) "." (ALNUM 16)] Mixed(330);
    "exa-api-key" High "Exa API key" ["exa"] [UUID] Plausible(270);
    "deepgram-api-key" High "Deepgram API key" ["deepgram"] [(HEX 40)] Mixed(290);
    "assemblyai-api-key" High "AssemblyAI API key" ["assemblyai" "assembly_ai"] [(LOWER_ALNUM 32)] Mixed(320);
    "greptile-api-key" High "Greptile API key" ["greptile"] [(BASE64_URL 40 64)] Mixed(360);
    "ollama-api-key" High "Ollama API key" ["ollama"] [(HEX 32) "." (BASE64_URL 24)] Mixed(330);
    "portkey-api-key" High "Portkey API key" ["portkey"] [(BASE64 27 28) (EQUALS 0 1)] Mixed(330);
    "together-legacy-key" High "Together AI API key of the old form" ["together" "togetherai"] [(HEX 64)] Mixed(300);
    "pinecone-legacy-key" High "Pinecone API key of the old form" ["pinecone"] [UUID] Plausible(270);
    "wandb-legacy-key" High "Weights & Biases API key of the old form" ["wandb"] [(HEX 40)] Mixed(290);
    "elevenlabs-legacy-key" High "ElevenLabs API key of the old form" ["elevenlabs"] [(HEX 32)] Mixed(280);
    "ai21-api-key" High "AI21 API key" ["ai21"] [(ALNUM 32)] Mixed(340);
    "serpapi-key" Medium "SerpApi key" ["serpapi"] [(HEX 64)] Mixed(300);
    "serper-key" Medium "Serper API key" ["serper"] [(HEX 40)] Mixed(290);
    // Messages.
    "twilio-auth-token" High "Twilio auth token" ["twilio"] [(HEX 32)] Mixed(280);
    "mailgun-api-key" High "Mailgun API key of the new form" ["mailgun"] [(HEX 32) "-" (HEX 8) "-" (HEX 8)] Mixed(290);
    "mailchimp-api-key" High "Mailchimp API key, next to its name and so protected whole" ["mailchimp"]
        [(HEX 32) "-us" (DIGIT 1 2)] Mixed(280);
    "postmark-token" High "Postmark server or account token" ["postmark"] [UUID] Plausible(270);
    "mandrill-legacy-key" High "Mandrill API key of the old form" ["mandrill"] [(BASE64_URL 22)] Mixed(320);
    "sparkpost-key" High "SparkPost API key" ["sparkpost"] [(HEX 40)] Mixed(290);
    "vonage-secret" High "Vonage (Nexmo) API secret" ["vonage" "nexmo"] [(ALNUM 16)] Mixed(290);
    "plivo-token" High "Plivo auth token" ["plivo"] [(ALNUM 40)] Mixed(360);
    "pusher-secret" High "Pusher app secret" ["pusher"] [(HEX 20)] Mixed(260);
    "ably-key" High "Ably API key" ["ably"] [(BASE64_URL_DOT 13 22) ":" (BASE64_URL 43)] Mixed(380);
    "sendbird-token" High "Sendbird API token" ["sendbird"] [(HEX 40)] Mixed(290);
    "zoom-secret" High "Zoom client secret" ["zoom"] [(ALNUM 32)] Mixed(340);
    // Payment.
    "paypal-secret" Critical "PayPal client secret" ["paypal"] [(BASE64_URL 80)] Mixed(400);
    "coinbase-secret" Critical "Coinbase API secret" ["coinbase"] [(ALNUM 32 64)] Mixed(340);
    "adyen-api-key" High "Adyen API key, next to its name" ["adyen"] ["AQE" (BASE64_ANY 40 400)] Mixed(400);
    "finicity-key" High "Finicity app key or token" ["finicity"] [(HEX 32)] Mixed(280);
    "wise-token" High "Wise API token" ["wise" "transferwise"] [UUID] Plausible(270);
    "binance-secret" Critical "Binance API key or secret" ["binance"] [(ALNUM 64)] Mixed(390);
    "kraken-secret" Critical "Kraken private key" ["kraken"] [(BASE64 86) "=="] Mixed(400);
    // Monitoring.
    "datadog-api-key" High "Datadog API key" ["datadog" "dd_api" "dd-api" "ddapi" "ddApi"] [(HEX 32)] Mixed(280);
    "datadog-legacy-app-key" High "Datadog application key of the old form" ["datadog" "dd_app" "dd-app" "ddapp" "ddApp" "dd_application" "dd-application"]
        [(HEX 40)] Mixed(290);
    "newrelic-license" High "New Relic license key, next to its name and so protected whole" ["newrelic" "new_relic"]
        [(LOWER_ALNUM 32 36) "FFFFNRAL"] Mixed(300);
    "honeycomb-key" High "Honeycomb API key" ["honeycomb"] [(ALNUM 22 64)] Mixed(320);
    "logzio-token" High "Logz.io token" ["logz" "logzio"] [(ALNUM 32)] Mixed(340);
    "sumo-logic-key" High "Sumo Logic access key" ["sumo" "sumologic"] [(ALNUM 64)] Mixed(380);
    "splunk-hec-token" High "Splunk HTTP event collector token" ["splunk" "hec"] [UUID] Plausible(270);
    "pagerduty-key" High "PagerDuty API key" ["pagerduty"] [(BASE64_ANY 20)] Mixed(310);
    "opsgenie-key" High "Opsgenie API key" ["opsgenie"] [UUID] Plausible(270);
    "statuspage-key" Medium "Statuspage API key" ["statuspage"] [(HEX 32 64)] Mixed(300);
    // All other services.
    "airtable-legacy-key" High "Airtable API key of the old form" ["airtable"] ["key" (ALNUM 14)] Mixed(290);
    "asana-legacy-token" High "Asana personal access token of the old form" ["asana"] [(DIGIT 15 17) ":" (HEX 32)] Mixed(280);
    "asana-token" High "Asana personal access token" ["asana"] [(DIGIT 1) "/" (DIGIT 15 17) ":" (HEX 32)] Mixed(280);
    "trello-key" Medium "Trello API key" ["trello"] [(HEX 32)] Mixed(280);
    "trello-token" High "Trello token" ["trello"] [(ALNUM 64 76)] Mixed(300);
    "zendesk-token" High "Zendesk API token" ["zendesk"] [(ALNUM 40)] Mixed(360);
    "okta-token" High "Okta API token" ["okta"] ["00" (BASE64_URL 40)] Mixed(360);
    "auth0-client-secret" High "Auth0 client secret" ["auth0"] [(BASE64_URL 64)] Mixed(390);
    "onelogin-secret" High "OneLogin client secret" ["onelogin"] [(HEX 64)] Mixed(300);
    "algolia-admin-key" High "Algolia admin API key" ["algolia"] [(HEX 32)] Mixed(280);
    "beamer-key" Medium "Beamer API key" ["beamer"] ["b_" (BASE64_URL 44)] Mixed(370);
    "facebook-app-secret" High "Facebook app secret" ["facebook" "fb_app" "fbApp"] [(HEX 32)] Mixed(280);
    "facebook-app-token" High "Facebook app access token" ["facebook" "fb_app" "fbApp"] [(DIGIT 15 16) "|" (BASE64_URL 27)] Mixed(360);
    "linkedin-client-secret" High "LinkedIn client secret" ["linkedin"] [(ALNUM 16)] Mixed(290);
    "linkedin-token" High "LinkedIn access token" ["linkedin"] ["AQ" (BASE64_URL 60 400)] Mixed(400);
    "tiktok-secret" High "TikTok client secret" ["tiktok"] [(ALNUM 32 40)] Mixed(340);
    "twitch-secret" High "Twitch client secret or token" ["twitch"] [(LOWER_ALNUM 30)] Mixed(330);
    "spotify-secret" High "Spotify client secret" ["spotify"] [(HEX 32)] Mixed(280);
    "twitter-secret" High "X (Twitter) API key secret or token secret" ["twitter"] [(ALNUM 45 50)] Mixed(370);
    "box-secret" High "Box client secret or developer token" ["box"] [(ALNUM 32)] Mixed(340);
    "dropbox-app-secret" High "Dropbox app secret" ["dropbox"] [(LOWER_ALNUM 15)] Mixed(270);
    "amplitude-key" Medium "Amplitude API or secret key" ["amplitude"] [(HEX 32)] Mixed(280);
    "mixpanel-secret" Medium "Mixpanel project token or API secret" ["mixpanel"] [(HEX 32)] Mixed(280);
    "optimizely-token" High "Optimizely personal token" ["optimizely"] [(BASE64_ANY 40 90) (EQUALS 0 2)] Mixed(370);
    "configcat-key" Medium "ConfigCat SDK key" ["configcat"] [(BASE64_URL 22) "/" (BASE64_URL 22)] Mixed(370);
    "flipt-token" Medium "Flipt client token" ["flipt"] [(BASE64_URL 32 64) (EQUALS 0 2)] Mixed(350);
    "servicenow-secret" High "ServiceNow client secret" ["servicenow"] [(BASE64_URL 10 64)] Mixed(280);
    "miro-token" High "Miro access token" ["miro"] [(BASE64_URL 27 200)] Mixed(330);
    "cloudinary-secret" High "Cloudinary API secret" ["cloudinary"] [(BASE64_URL 27)] Mixed(340);
    "freshdesk-key" High "Freshdesk API key" ["freshdesk"] [(ALNUM 20)] Mixed(310);
    "pipedrive-token" High "Pipedrive API token" ["pipedrive"] [(HEX 40)] Mixed(290);
    "hubspot-legacy-key" High "HubSpot API key of the old form" ["hubspot" "hapikey"] [UUID] Plausible(270);
    "jira-legacy-token" High "Jira or Confluence API token of the old form" ["jira" "confluence" "atlassian"] [(ALNUM 24)] Mixed(330);
    "shodan-key" Medium "Shodan API key" ["shodan"] [(ALNUM 32)] Mixed(340);
    "virustotal-key" Medium "VirusTotal API key" ["virustotal"] [(HEX 64)] Mixed(300);
    "openweather-key" Low "OpenWeather API key" ["openweather" "openweathermap"] [(HEX 32)] Mixed(280);
    "infura-key" Medium "Infura project secret" ["infura"] [(HEX 32)] Mixed(280);
    "alchemy-key" Medium "Alchemy API key" ["alchemy"] [(BASE64_URL 32)] Mixed(340);
    "etherscan-key" Low "Etherscan API key" ["etherscan"] [(UPPER_ALNUM 34)] Mixed(330);
}
