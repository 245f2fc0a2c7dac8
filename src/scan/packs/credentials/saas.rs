//! Messages, payment, monitoring, and all other services.

use super::super::super::matcher::Set;
use super::super::super::matcher::kind::{Check, Kind, Left, Seal, Shape, Step};

use Check::{Holds, Mixed, Plausible, Sealed, Snowflake};

table! {
    "slack-token" High "Slack bot, user, session or workspace token"
        ["xoxb-" "xoxp-" "xoxa-" "xoxc-" "xoxr-" "xoxs-" "xoxo-" "xoxe-"]
        [(ALNUM_DASH 24 200)] Plausible(280), not ALNUM_DASH;
    "slack-app-token" High "Slack app-level token"
        ["xapp-1-"] ["A" (UPPER_ALNUM 8 12) "-" (DIGIT 10 14) "-" (HEX 64)] Plausible(300);
    "slack-config-token" High "Slack app configuration token"
        ["xoxe.xoxp-" "xoxe.xoxb-"] ["1-" (UPPER_ALNUM 140 180)] Plausible(380);
    "slack-session-cookie" High "Slack session cookie, which goes with an xoxc token"
        ["xoxd-"] [(BASE64_PERCENT 40 400)] Plausible(380);
    "slack-workflow-webhook" Medium "Slack workflow or trigger URL"
        ["hooks.slack.com/workflows/" "hooks.slack.com/triggers/"]
        [(UPPER_ALNUM 8 13) "/" (ALNUM 8 20) "/" (ALNUM 10 44) "/" (ALNUM 16 44)] Plausible(350);
    "slack-trigger-webhook" Medium "Slack trigger URL of the short form"
        ["hooks.slack.com/workflows/" "hooks.slack.com/triggers/"]
        [(UPPER_ALNUM 8 13) "/" (ALNUM 8 20) "/" (ALNUM 16 44)] Plausible(350), not BASE64;
    "slack-webhook" Medium "Slack incoming webhook URL"
        ["hooks.slack.com/services/"]
        ["T" (UPPER_ALNUM 7 12) "/" (UPPER_ALNUM 8 16) "/" (ALNUM 16 44)] Plausible(350);
    "discord-bot-token" High "Discord bot token: the number of its account, a time and a signature"
        ["MTA" "MTE" "MTI" "MTM" "MTQ" "MTU" "MTY" "MTc" "MTg" "MTk" "MjA" "MjE" "MjI" "MjM" "MjQ" "MjU" "MjY" "Mjc"
         "Mjg" "Mjk" "MzA" "MzE" "MzI" "MzM" "MzQ" "MzU" "MzY" "Mzc" "Mzg" "Mzk" "NDA" "NDE" "NDI" "NDM" "NDQ" "NDU"
         "NDY" "NDc" "NDg" "NDk" "NTA" "NTE" "NTI" "NTM" "NTQ" "NTU" "NTY" "NTc" "NTg" "NTk" "NjA" "NjE" "NjI" "NjM"
         "NjQ" "NjU" "NjY" "Njc" "Njg" "Njk" "NzA" "NzE" "NzI" "NzM" "NzQ" "NzU" "NzY" "Nzc" "Nzg" "Nzk" "ODA" "ODE"
         "ODI" "ODM" "ODQ" "ODU" "ODY" "ODc" "ODg" "ODk" "OTA" "OTE" "OTI" "OTM" "OTQ" "OTU" "OTY" "OTc" "OTg" "OTk"]
        [(ALNUM 20 23) "." (BASE64_URL 6) "." (BASE64_URL 27 38)] Snowflake(380);
    "discord-webhook" Medium "Discord webhook URL"
        ["discord.com/api/webhooks/" "discordapp.com/api/webhooks/"]
        [(DIGIT 17 20) "/" (BASE64_URL 60 72)] Plausible(400);
    "telegram-bot-token" High "Telegram bot token"
        [":AA"] [(BASE64_URL 33)] Plausible(330), left Left::Run(Set::DIGIT, 8, 10);
    "teams-webhook" Medium "Microsoft Teams incoming webhook URL"
        [".webhook.office.com/webhookb2/"]
        [(ALNUM_DASH 36) "@" (ALNUM_DASH 36) "/IncomingWebhook/" (HEX 32) "/" (ALNUM_DASH 36)]
        Plausible(300), left Left::Any;
    "google-chat-webhook" Medium "Google Chat webhook URL"
        ["chat.googleapis.com/v1/spaces/"]
        [(BASE64_URL 8 24) "/messages?key=" (BASE64_URL 39) "&token=" (BASE64_PERCENT 40 60)] Plausible(380);
    "zapier-hook" Low "Zapier catch hook URL"
        ["hooks.zapier.com/hooks/catch/"] [(DIGIT 5 10) "/" (LOWER_ALNUM 6 10)] Mixed(200);
    "tines-webhook" Medium "Tines webhook URL"
        [".tines.com/webhook/"] [(HEX 32) "/" (HEX 32)] Plausible(300), left Left::Any;
    "twilio-api-key" High "Twilio API key"
        ["SK0" "SK1" "SK2" "SK3" "SK4" "SK5" "SK6" "SK7" "SK8" "SK9" "SKa" "SKb" "SKc" "SKd" "SKe" "SKf"]
        [(HEX 31)] Mixed(280);
    "sendgrid-key" High "SendGrid API key"
        ["SG."] [(BASE64_URL 22) "." (BASE64_URL 43)] Plausible(380);
    "mailgun-key" High "Mailgun private API key"
        ["key-"] [(HEX 32)] Plausible(280), not ALNUM_DASH;
    "mailchimp-key" High "Mailchimp API key"
        ["-us"] [(DIGIT 1 2)] Check::None, left Left::Head(Set::HEX, 32, 32);
    "brevo-key" High "Brevo API or SMTP key"
        ["xkeysib-" "xsmtpsib-"] [(HEX 64) "-" (ALNUM 16)] Plausible(330);
    "resend-key" High "Resend API key"
        ["re_"] [(ALNUM 8) "_" (ALNUM 24)] Mixed(350);
    "mailersend-token" High "MailerSend API token"
        ["mlsn."] [(HEX 64)] Plausible(300);
    "mandrill-key" High "Mandrill API key of the new form"
        ["md-"] [(BASE64_URL 22)] Mixed(340);
    "onesignal-key" High "OneSignal app or organisation key"
        ["os_v2_app_" "os_v2_org_"] [(LOWER_ALNUM 80 120)] Plausible(370);
    "stripe-secret-key" Critical "Stripe, Clerk or WorkOS secret or restricted key"
        ["sk_live_" "rk_live_" "sk_test_" "rk_test_" "sk_prod_"] [(ALNUM 10 128)] Plausible(270);
    "stripe-webhook-secret" High "webhook signing secret of Stripe or Svix"
        ["whsec_"] [(BASE64 32 64)] Plausible(350), not WORD;
    "stripe-client-secret" Medium "client secret of a Stripe payment or set-up"
        ["pi_" "seti_"] [(ALNUM 24) "_secret_" (ALNUM 25)] Plausible(350);
    "square-token" High "Square access token or application secret"
        ["sq0atp-" "sq0csp-"] [(BASE64_URL 22 43)] Plausible(330);
    "square-access-token" High "Square access token of the new form"
        ["EAAA"] [(BASE64_URL 60)] Mixed(400);
    "braintree-token" Critical "Braintree access token"
        ["access_token$production$" "access_token$sandbox$"] [(LOWER_ALNUM 16) "$" (HEX 32)] Plausible(320);
    "shopify-token" High "Shopify access token or shared secret"
        ["shpat_" "shpca_" "shppa_" "shpss_" "shptka_"] [(ANY_HEX 32)] Plausible(280);
    "razorpay-key-id" Medium "Razorpay key id"
        ["rzp_live_"] [(ALNUM 14)] Plausible(270);
    "plaid-token" High "Plaid access token"
        ["access-production-" "access-development-" "access-sandbox-"] [UUID] Plausible(270);
    "paddle-key" High "Paddle API key"
        ["pdl_live_apikey_" "pdl_sdbx_apikey_"]
        [(LOWER_ALNUM 26) "_" (ALNUM 22) "_" (ALNUM 3)] Plausible(360);
    "flutterwave-key" High "Flutterwave secret key"
        ["FLWSECK-" "FLWSECK_TEST-"] [(ALNUM 12 32) "-X"] Mixed(270);
    "adyen-key" High "Adyen API key"
        ["AQE"] [(BASE64 90 300) "-" (BASE64_ANY 20 120)] Mixed(400);
    "checkout-com-key" High "Checkout.com secret key"
        ["sk_" "sk_test_" "sk_sbox_"] [UUID] Plausible(270);
    "gocardless-token" High "GoCardless access token"
        ["live_"] [(BASE64_URL 40)] Mixed(370);
    "lob-key" High "Lob API key"
        ["live_" "test_"] [(HEX 35)] Mixed(290);
    "mercury-token" High "Mercury API token"
        ["secret-token:mercury_"] [(BASE64_URL 40 120)] Plausible(370);
    "ramp-secret" High "Ramp client secret"
        ["ramp_sec_"] [(ALNUM 48)] Plausible(370);
    "xendit-key" High "Xendit secret key"
        ["xnd_production_" "xnd_development_"] [(ALNUM 40 70)] Plausible(350);
    "asaas-key" High "Asaas API key"
        ["$aact_prod_" "$aact_hmlg_"] [(BASE64_ANY 60 ..)] Plausible(370), left Left::Any;
    "duffel-token" High "Duffel access token"
        ["duffel_live_" "duffel_test_"] [(BASE64_URL 43)] Plausible(370);
    "easypost-key" High "EasyPost API key"
        ["EZAK" "EZTK"] [(ALNUM 54)] Plausible(360);
    "shippo-token" High "Shippo API token"
        ["shippo_live_" "shippo_test_"] [(HEX 40)] Plausible(290);
    "polar-token" High "Polar organisation token"
        ["polar_oat_" "polar_pat_"] [(BASE64_URL 40 50)] Plausible(360);
    "cal-com-key" High "Cal.com API key"
        ["cal_live_"] [(HEX 32)] Plausible(280);
    "datadog-app-key" High "Datadog application key of the new form"
        ["ddapp_"] [(ALNUM 34)] Mixed(340);
    "newrelic-key" High "New Relic user key"
        ["NRAK-"] [(UPPER_ALNUM 27)] Plausible(320);
    "newrelic-insert-key" Medium "New Relic insights insert key"
        ["NRII-"] [(BASE64_URL 25 32)] Mixed(340);
    "newrelic-browser-key" Low "New Relic browser key, which every visitor sees"
        ["NRJS-" "NRBR-"] [(HEX 19)] Plausible(250);
    "newrelic-license-key" High "New Relic license key"
        ["FFFFNR"] ["AL"] Check::None, left Left::Head(Set::LOWER_ALNUM, 32, 36);
    "grafana-token" High "Grafana service account token"
        ["glsa_"] [(ALNUM 32) "_" (ANY_HEX 8)] Sealed(Seal::Crc32Hex, 330);
    "grafana-cloud-token" High "Grafana Cloud access policy token"
        ["glc_"] [(BASE64 60 400) (EQUALS 0 2)] Mixed(370);
    "grafana-legacy-key" High "Grafana API key of the old form"
        ["eyJrIjoi"] [(BASE64 60 200) (EQUALS 0 2)] Mixed(370);
    "sentry-org-token" High "Sentry organisation token"
        ["sntrys_eyJpYXQiO"] [(BASE64 60 400) (EQUALS 0 2) "_" (BASE64 43)] Plausible(380);
    "sentry-user-token" High "Sentry user token"
        ["sntryu_"] [(HEX 64)] Plausible(300);
    "dynatrace-token" High "Dynatrace API or platform token"
        ["dt0c01." "dt0s01." "dt0s16."] [(BASE32 24) "." (BASE32 64)] Plausible(370);
    "rootly-key" High "Rootly API key"
        ["rootly_"] [(HEX 64)] Plausible(300);
    "posthog-key" High "PostHog personal API key"
        ["phx_"] [(BASE64_URL 41 49)] Mixed(370);
    "linear-api-key" High "Linear API key or OAuth token"
        ["lin_api_" "lin_oauth_"] [(ALNUM 40)] Plausible(350);
    "notion-token" High "Notion integration token"
        ["ntn_"] [(DIGIT 11) (ALNUM 35)] Plausible(350);
    "notion-legacy-token" High "Notion integration token of the old form"
        ["secret_"] [(ALNUM 43)] Mixed(370);
    "airtable-token" High "Airtable personal access token"
        ["pat"] [(ALNUM 14) "." (HEX 64)] Plausible(320);
    "clickup-token" High "ClickUp personal API token"
        ["pk_"] [(DIGIT 6 9) "_" (UPPER_ALNUM 32)] Mixed(330);
    "figma-token" High "Figma personal access token"
        ["figd_"] [(BASE64_URL 40)] Plausible(370);
    "contentful-token" High "Contentful management token"
        ["CFPAT-"] [(BASE64_URL 43)] Plausible(370);
    "typeform-token" High "Typeform personal access token"
        ["tfp_"] [(BASE64_URL 40 60)] Mixed(370);
    "intercom-token" High "Intercom access token"
        ["dG9rO"] [(BASE64 54 70) (EQUALS 0 2)] Mixed(370);
    "hubspot-token" High "HubSpot private app token"
        ["pat-na1-" "pat-na2-" "pat-na3-" "pat-eu1-" "pat-ap1-"] [UUID] Plausible(270);
    "launchdarkly-key" High "LaunchDarkly SDK or API key"
        ["sdk-" "api-"] [UUID] Plausible(270);
    "mapbox-secret-token" High "Mapbox secret token"
        ["sk.eyJ"] [(BASE64_URL 30 160) "." (BASE64_URL 22)] Plausible(380);
    "frame-io-token" High "Frame.io developer token"
        ["fio-u-"] [(BASE64_URL 64)] Plausible(390);
    "lichess-token" Medium "Lichess personal token"
        ["lip_"] [(ALNUM 20)] Mixed(310);
    "salesforce-session" High "Salesforce session or access token"
        ["00D"] [(ALNUM 12) "!" (BASE64_URL_DOT 80 140)] Plausible(380);
    "salesforce-refresh-token" Critical "Salesforce refresh token"
        ["5AEP861"] [(BASE64_URL_DOT 76 90)] Plausible(380);
    "zoho-token" High "Zoho OAuth grant, access or refresh token"
        ["1000."] [(HEX 32) "." (HEX 32)] Plausible(300);
    "facebook-token" High "Facebook or Instagram access token"
        ["EAAC" "EAAM" "EAAB" "EAAG" "EAAD"] [(ALNUM 100 300)] Mixed(400);
    "twitter-bearer-token" High "X (Twitter) bearer token of an app"
        ["AAAAAAAAAAAAAAAAAAAAA"] [(BASE64_PERCENT 60 120)] Holds("%", 380);
    "dropbox-token" High "Dropbox short-lived access token"
        ["sl."] [(BASE64_URL_DOT 130 ..)] Plausible(400);
    "workato-token" High "Workato API client token"
        ["wrkaus-" "wrkeu-" "wrkjp-" "wrksg-" "wrkau-"] [(BASE64_URL_DOT 40 ..)] Plausible(370);
    "retool-token" High "Retool API access token"
        ["retool_"] [(BASE64_URL 24 64)] Mixed(330);
    "segment-token" High "Segment public API token"
        ["sgp_"] [(ALNUM 64)] Mixed(380);
    "devcycle-key" High "DevCycle server SDK key"
        ["dvc_server_"] [(BASE64_URL 40 64)] Mixed(350);
    "statsig-secret" High "Statsig server secret"
        ["secret-"] [(ALNUM 43)] Mixed(370);
    "unleash-token" High "Unleash client or admin token"
        ["*:*." "*:production." "*:development." "default:production." "default:development." "default:default."]
        [(HEX 56 64)] Plausible(300), left Left::Any;
}
