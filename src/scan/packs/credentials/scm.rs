//! Source control, build services, registries.

use super::super::super::matcher::Set;
use super::super::super::matcher::kind::{Check, Kind, Left, Seal, Shape, Step};

use Check::{Holds, Mixed, Plausible, Sealed};

table! {
    "github-pat" Critical "GitHub classic personal access token"
        ["ghp_"] [(ALNUM 36)] Sealed(Seal::Crc32Base62, 330);
    "github-fine-grained-pat" Critical "GitHub fine-grained personal access token"
        ["github_pat_"] [(ALNUM 22) "_" (ALNUM 59)] Sealed(Seal::Crc32Base62, 350);
    "github-app-token" Critical "GitHub OAuth, user-to-server, server-to-server or refresh token"
        ["gho_" "ghu_" "ghs_" "ghr_"] [(ALNUM 36 255)] Sealed(Seal::Crc32Base62, 330);
    "gitlab-token" Critical "GitLab personal, deploy, runner, feed, agent, trigger or mail token, or OAuth secret"
        ["glpat-" "gldt-" "glrt-" "glft-" "glffct-" "glimt-" "glsoat-" "gloas-" "glagent-" "glptt-"]
        [(BASE64_URL 20 300)] Plausible(300);
    "gitlab-routable-token" High "GitLab token of the routable form"
        ["glpat-" "glrt-" "gldt-"]
        [(BASE64_URL 27 300) "." (LOWER_ALNUM_DOT 9 12)] Sealed(Seal::Crc32Base36, 300), not WORD;
    "gitlab-job-token" High "GitLab CI/CD job token"
        ["glcbt-"] [(BASE64_URL 22 26)] Plausible(300);
    "gitlab-runner-registration-token" High "GitLab runner registration token of the old form"
        ["GR1348941"] [(BASE64_URL 20)] Plausible(300);
    "gitlab-session" High "GitLab session cookie"
        ["_gitlab_session="] [(HEX 32)] Plausible(280);
    "gitlab-mail-address" Medium "GitLab address that files issues in the name of its owner"
        ["incoming+"] [(BASE64_URL 26 200) "@"] Holds("-issue", 300);
    "bitbucket-app-password" High "Bitbucket app password"
        ["ATBB"] [(ALNUM 24) (ANY_HEX 8)] Mixed(330);
    "bitbucket-data-center-token" High "Bitbucket Data Center HTTP access token"
        ["BBDC-"] [(BASE64_ANY 40 50)] Plausible(370);
    "atlassian-api-token" Critical "Atlassian API token"
        ["ATATT3xFfGF0"] [(BASE64_URL 120 220) "=" (ANY_HEX 8)] Plausible(400);
    "atlassian-access-token" Critical "Atlassian scoped or access token"
        ["ATCTT3xFfG"] [(BASE64_URL 120 220) "=" (ANY_HEX 8)] Plausible(400);
    "npm-token" Critical "npm access token"
        ["npm_"] [(ALNUM 36)] Sealed(Seal::Crc32Base62, 330);
    "npm-legacy-token" Critical "npm access token of the old form, in an .npmrc"
        [":_authToken="] [UUID] Plausible(270), left Left::Any;
    "pypi-token" Critical "PyPI upload token"
        ["pypi-AgEIcHlwaS5vcmc" "pypi-AgENdGVzdC5weXBpLm9yZw"] [(BASE64_URL 50 ..)] Plausible(330);
    "rubygems-key" Critical "RubyGems API key"
        ["rubygems_"] [(HEX 48)] Plausible(290);
    "crates-io-token" Critical "crates.io API token"
        ["cio"] [(ALNUM 32)] Mixed(350);
    "nuget-key" Critical "NuGet API key"
        ["oy2"] [(LOWER_ALNUM 43)] Mixed(350);
    "clojars-token" High "Clojars deploy token"
        ["CLOJARS_"] [(LOWER_ALNUM 60)] Plausible(350);
    "docker-hub-token" High "Docker Hub personal or organisation access token"
        ["dckr_pat_" "dckr_oat_"] [(BASE64_URL 27 32)] Plausible(330);
    "docker-swarm-join-token" High "Docker Swarm join token"
        ["SWMTKN-1-"] [(LOWER_ALNUM 50 60) "-" (LOWER_ALNUM 24 30)] Plausible(350);
    "docker-swarm-unlock-key" High "Docker Swarm unlock key"
        ["SWMKEY-1-"] [(BASE64 40 50)] Plausible(370);
    "artifactory-api-key" High "JFrog Artifactory API key"
        ["AKCp"] [(ALNUM 69)] Plausible(380);
    "artifactory-reference-token" High "JFrog Artifactory reference token"
        ["cmVmdGtu"] [(ALNUM 56)] Plausible(370);
    "packagist-token" High "Private Packagist organisation, user or conductor token"
        ["packagist_ort_" "packagist_out_" "packagist_acs_" "packagist_ack_" "packagist_uut_"]
        [(HEX 28 96)] Plausible(270);
    "circleci-token" High "CircleCI personal or project token"
        ["CCIPAT_" "CCIPRJ_"] [(ALNUM 22) "_" (HEX 40)] Plausible(330);
    "buildkite-user-token" High "Buildkite user access token"
        ["bkua_"] [(HEX 40)] Plausible(290);
    "buildkite-agent-token" High "Buildkite agent, job, package or cluster token"
        ["bkaj_" "bkpt_" "bkct_"] [(BASE64_URL 36 200)] Plausible(330);
    "sonarqube-token" High "SonarQube user, project or analysis token"
        ["squ_" "sqp_" "sqa_"] [(HEX 40)] Plausible(290);
    "sonarqube-cloud-token" High "SonarQube Cloud organisation token"
        ["sqco_"] [(ALNUM 59)] Plausible(370);
    "octopus-deploy-key" High "Octopus Deploy API key"
        ["API-"] [(UPPER_ALNUM 26)] Mixed(330);
    "harness-token" High "Harness personal or service account token"
        ["pat." "sat."] [(BASE64_URL 22) "." (ALNUM 24) "." (ALNUM 20)] Mixed(380);
    "terraform-token" Critical "Terraform Cloud API token"
        [".atlasv1."] [(BASE64_URL 60 70)] Plausible(380), left Left::Run(Set::ALNUM, 14, 14);
    "pulumi-token" High "Pulumi access token"
        ["pul-"] [(HEX 40)] Plausible(290);
    "sourcegraph-token" High "Sourcegraph access token"
        ["sgp_" "sgp_local_"] [(HEX_UNDERSCORE 40 57)] Mixed(290);
    "sourcegraph-license" Medium "Sourcegraph license key token"
        ["slk_"] [(HEX 64)] Plausible(300);
    "infracost-key" Medium "Infracost API key"
        ["ico-"] [(ALNUM 32)] Mixed(350);
    "prefect-key" High "Prefect Cloud API key"
        ["pnu_" "pnb_"] [(ALNUM 36)] Mixed(350);
    "readme-key" Medium "ReadMe API key"
        ["rdme_"] [(LOWER_ALNUM 70)] Plausible(360);
    "scalingo-token" High "Scalingo API token"
        ["tk-us-"] [(BASE64_URL 48)] Plausible(370);
    "postman-api-key" High "Postman API key"
        ["PMAK-"] [(HEX 24) "-" (HEX 34)] Plausible(300);
    "postman-collection-key" Medium "Postman collection access key"
        ["PMAT-"] [(ALNUM 26)] Mixed(330);
    "deno-deploy-token" High "Deno Deploy personal, organisation or workspace token"
        ["ddp_" "ddw_" "ddo_"] [(ALNUM 36)] Mixed(350);
    "dbt-cloud-token" High "dbt Cloud user or service token"
        ["dbtu_" "dbtc_"] [(BASE64_URL 32 90)] Mixed(340);
    "trigger-dev-key" High "Trigger.dev secret key"
        ["tr_prod_" "tr_dev_" "tr_stg_" "tr_pat_"] [(ALNUM 20 50)] Mixed(300);
    "inngest-signing-key" High "Inngest signing key"
        ["signkey-prod-" "signkey-test-" "signkey-branch-"] [(HEX 64)] Plausible(300);
}
