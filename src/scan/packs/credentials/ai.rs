//! Models, and what is built around them.

use super::super::super::matcher::Set;
use super::super::super::matcher::kind::{Check, Kind, Left, Seal, Shape, Step};

use Check::{Mixed, Plausible, Sealed};

table! {
    "openai-api-key" Critical "OpenAI project, service account or admin key"
        ["sk-proj-" "sk-svcacct-" "sk-admin-"] [(BASE64_URL 40 220)] Sealed(Seal::Holds("T3BlbkFJ"), 380);
    "openai-legacy-key" Critical "OpenAI user key of the old form"
        ["sk-"] [(ALNUM 20) "T3BlbkFJ" (ALNUM 20)] Plausible(370);
    "openai-session-key" High "OpenAI session key"
        ["sess-"] [(ALNUM 40)] Mixed(360);
    "anthropic-api-key" Critical "Anthropic API, admin or OAuth key"
        ["sk-ant-api03-" "sk-ant-admin01-" "sk-ant-oat01-" "sk-ant-ort01-"] [(BASE64_URL 80 120)] Plausible(400);
    "huggingface-token" High "Hugging Face user or organisation token"
        ["hf_" "api_org_"] [(ALNUM 34)] Plausible(330);
    "groq-api-key" High "Groq API key"
        ["gsk_"] [(ALNUM 52)] Sealed(Seal::Holds("WGdyb3FY"), 370);
    "xai-api-key" High "xAI API key"
        ["xai-"] [(BASE64_URL 70 120)] Plausible(380);
    "perplexity-api-key" High "Perplexity API key"
        ["pplx-"] [(ALNUM 48)] Plausible(370);
    "replicate-token" High "Replicate API token"
        ["r8_"] [(ALNUM 37)] Plausible(340);
    "openrouter-api-key" High "OpenRouter API key"
        ["sk-or-v1-"] [(HEX 64)] Plausible(300);
    "together-api-key" High "Together AI API key of the new form"
        ["tgp_v1_"] [(BASE64_URL 43)] Plausible(370);
    "fireworks-api-key" High "Fireworks AI API key"
        ["fw_"] [(ALNUM 24)] Mixed(330);
    "deepseek-api-key" High "DeepSeek API key"
        ["sk-"] [(HEX 32)] Mixed(280), not ALNUM_DASH;
    "moonshot-api-key" High "Moonshot or Stability AI API key: 48 letters and digits"
        ["sk-"] [(ALNUM 48)] Mixed(380), not ALNUM_DASH;
    "minimax-api-key" High "MiniMax API key"
        ["sk-api-"] [(BASE64_URL 119)] Plausible(420);
    "litellm-key" High "LiteLLM virtual key"
        ["sk-"] [(BASE64_URL 22)] Mixed(350);
    "nvidia-api-key" High "NVIDIA API key"
        ["nvapi-"] [(BASE64_URL 60 70)] Plausible(380);
    "elevenlabs-api-key" High "ElevenLabs API key"
        ["sk_"] [(HEX 48)] Mixed(290);
    "cerebras-api-key" High "Cerebras API key"
        ["csk-"] [(LOWER_ALNUM 48)] Mixed(360);
    "pinecone-api-key" High "Pinecone API key"
        ["pcsk_"] [(ALNUM 5 6) "_" (ALNUM 63)] Plausible(380);
    "langsmith-api-key" High "LangSmith personal or service key"
        ["lsv2_pt_" "lsv2_sk_"] [(HEX 32) "_" (HEX 10)] Plausible(290);
    "langfuse-secret-key" High "Langfuse secret key"
        ["sk-lf-"] [UUID] Plausible(270);
    "llamacloud-api-key" High "LlamaCloud API key"
        ["llx-"] [(ALNUM 44 52)] Mixed(360);
    "voyage-api-key" High "Voyage AI API key"
        ["pa-" "al-"] [(BASE64_URL 43)] Mixed(390);
    "jina-api-key" High "Jina AI API key"
        ["jina_"] [(BASE64_URL 60)] Mixed(390);
    "tavily-api-key" High "Tavily API key"
        ["tvly-"] [(ALNUM_DASH 32 52)] Mixed(340);
    "brave-search-key" High "Brave Search API key"
        ["BSA"] [(BASE64_URL 24 40)] Mixed(350);
    "firecrawl-api-key" High "Firecrawl API key"
        ["fc-"] [(HEX 32)] Mixed(280);
    "cursor-api-key" High "Cursor API key"
        ["key_"] [(HEX 64)] Mixed(300);
    "devin-api-key" High "Devin API key"
        ["apk_" "cog_"] [(BASE64_ANY 40 120)] Mixed(370);
    "wandb-api-key" High "Weights & Biases API key of the new form"
        ["wandb_v1_"] [(BASE64_URL 77)] Plausible(400);
    "mem0-api-key" High "Mem0 API key"
        ["m0-"] [(ALNUM 40)] Mixed(360);
    "runpod-api-key" High "RunPod API key"
        ["rpa_"] [(ALNUM 40 60)] Mixed(350);
    "upstage-api-key" High "Upstage API key"
        ["up_"] [(ALNUM 29)] Mixed(330);
    "anyscale-api-key" High "Anyscale API key"
        ["esecret_"] [(LOWER_ALNUM 26 60)] Mixed(320);
    "helicone-api-key" High "Helicone API key"
        ["sk-helicone-"] [(ALNUM_DASH 24 60)] Mixed(300);
    "github-copilot-token" High "GitHub Copilot session token"
        ["tid="] [(HEX 32) ";exp=" (DIGIT 10 11) ";sku=" (BASE64_URL 4 60)] Plausible(280);
    "github-copilot-signature" High "signature of a GitHub Copilot session token"
        ["8kp=1:"] [(HEX 64)] Plausible(300), left Left::Any;
}
