package config

import (
	"slices"
	"strings"
)

const bedrock = "bedrock"

// vendors are the first parts of Bedrock's model ids.
var vendors = []string{
	"ai21", "amazon", "anthropic", "cohere", "deepseek", "google", "luma", "meta", "minimax", "mistral", "moonshot",
	"moonshotai", "nvidia", "openai", "qwen", "stability", "twelvelabs", "writer", "xai", "zai",
}

// geographies are the prefixes of cross-region inference profiles.
var geographies = []string{"us", "eu", "apac", "global", "jp", "au", "ca", "in", "us-gov", "sa", "me", "af"}

// checkModel checks that the deployment is one of Bedrock's: by prefix, by provider, or by the shape of its id.
func (l *loader) checkModel(n *node, path string, p *LitellmParams) {
	model := n.get("model")
	switch {
	case model != nil && model.kind == kindMissing:
		l.errorf(model.at, path+".model", "model is missing")
		return
	case !model.isSet() || (model.kind == kindString && model.text == ""):
		l.errorf(n.at, path+".model", "model is missing: bedrock/ and a model id, an inference profile or an ARN")
		return
	case p.Model == "":
		return // complained about already
	}
	if provider := n.present("custom_llm_provider"); provider != nil && p.CustomLLMProvider != "" {
		if p.CustomLLMProvider != bedrock {
			l.add(Error, provider.at, path+".custom_llm_provider", Nearest(p.CustomLLMProvider, []string{bedrock}),
				"custom_llm_provider is %s, but Outcrop serves Amazon Bedrock only", provider.quote())
		}
		return
	}
	prefix, rest, slash := strings.Cut(p.Model, "/")
	switch {
	case slash && prefix == bedrock:
		if rest == "" {
			l.errorf(model.at, path+".model", "model has no id after bedrock/")
		}
	case p.Model == "*", looksLikeBedrock(p.Model), l.opts.KnownModel != nil && l.opts.KnownModel(p.Model):
	case slash && prefix == "bedrock_mantle":
		l.errorf(model.at, path+".model", "model %s: write bedrock/mantle/ instead of bedrock_mantle/", model.quote())
	case slash:
		suggestion := ""
		if Nearest(prefix, []string{bedrock}) != "" && model.env == "" {
			suggestion = clip(bedrock + "/" + rest)
		}
		l.add(Error, model.at, path+".model", suggestion, "model %s is not one of Amazon Bedrock, which is all that Outcrop serves", model.quote())
	default:
		l.errorf(model.at, path+".model",
			"model %s is not known as one of Amazon Bedrock; write bedrock/ before it, or custom_llm_provider: bedrock beside it, if it is", model.quote())
	}
}

// looksLikeBedrock tells whether an id without prefix has the form of Bedrock's: [geography.]vendor.name, or an ARN.
func looksLikeBedrock(id string) bool {
	if strings.HasPrefix(id, "arn:aws") {
		return strings.Contains(id, ":bedrock:") || strings.Contains(id, ":sagemaker:")
	}
	vendor, rest, ok := strings.Cut(id, ".")
	if ok && slices.Contains(geographies, vendor) {
		vendor, rest, ok = strings.Cut(rest, ".")
	}
	return ok && rest != "" && slices.Contains(vendors, vendor)
}
