package outcrop

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/outcrop-ai/outcrop/internal/catalog"
	"github.com/outcrop-ai/outcrop/internal/config"
	"github.com/outcrop-ai/outcrop/internal/secret"
	"github.com/outcrop-ai/outcrop/llm"
)

// configuration makes of the options what the gateway reads from its file.
func (s *settings) configuration(cat *catalog.Catalog) (*config.Config, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	loader := config.Loader{Env: s.env, KnownModel: cat.Knows}
	c, problems := config.Default(s.env)
	if s.configFile != "" {
		c, problems = loader.Load(s.configFile)
	}
	if err := s.report(problems); err != nil {
		return nil, err
	}
	c.GeneralSettings.AllowCredentialProcess = true // the program's own, as with the AWS SDK
	if s.configFile == "" {
		c.ModelList[0].Info.ID = "bedrock"
	}
	if s.baseURL != "" {
		const direct = "bedrock/" + string(catalog.RouteConverseLike) + "/*"
		c.ModelList = append(c.ModelList, config.Deployment{
			ModelName: direct, Params: config.LitellmParams{Model: direct, APIBase: s.baseURL}, Info: config.ModelInfo{ID: string(catalog.RouteConverseLike)},
		})
	}
	for i := range s.deployments {
		d, err := s.deployment(i, cat)
		if err != nil {
			return nil, err
		}
		c.ModelList = append(c.ModelList, d)
	}
	ids := map[string]bool{}
	for i := range c.ModelList {
		d := &c.ModelList[i]
		if ids[d.Info.ID] {
			return nil, invalid("WithDeployments", fmt.Errorf("two deployments have the id %s", d.Info.ID))
		}
		ids[d.Info.ID] = true
		s.fill(&d.Params)
	}
	if c.GeneralSettings.PassThroughCredential == "" && len(c.ModelList) > 0 { // what is asked of no model goes as the first deployment
		c.GeneralSettings.PassThroughCredential = c.ModelList[0].Info.ID
	}
	s.routing(c)
	return c, nil
}

// check refuses options that contradict each other.
func (s *settings) check() error {
	who := &s.identity
	var said []string
	for _, one := range []struct {
		name string
		set  bool
	}{
		{"WithBearerToken", who.BearerToken != ""},
		{"WithStaticKeys", who.AccessKeyID != "" || who.SecretAccessKey != ""},
		{"WithProfile", who.Profile != ""},
		{"WithWebIdentity", s.webToken != ""},
		{"WithCredentials, WithAWSConfig or WithBedrockRuntime", s.credentials != nil || s.token != nil},
	} {
		if one.set {
			said = append(said, one.name)
		}
	}
	switch {
	case len(said) > 1 && !slices.Equal(said, []string{"WithStaticKeys", "WithProfile"}):
		return invalid(said[1], errors.New(strings.Join(said, " and ")+" are two identities: use one of them"))
	case s.role.ARN != "" && (who.BearerToken != "" || s.token != nil):
		return invalid("WithAssumeRole", errors.New("a bearer token cannot assume a role"))
	case s.retries != nil && *s.retries < 0:
		return invalid("WithRetries", errors.New("the number of retries must not be negative"))
	}
	return nil
}

// report returns the errors in a configuration, and logs its warnings.
func (s *settings) report(problems []config.Problem) error {
	var errs []string
	for _, p := range problems {
		switch {
		case p.Severity == config.Error:
			errs = append(errs, p.String())
		case s.logger != nil:
			s.logger.Warn(p.String())
		}
	}
	if len(errs) > 0 {
		return invalid("WithConfig", errors.New(strings.Join(errs, "\n")))
	}
	return nil
}

// fill gives a deployment what the options say and it does not say itself.
func (s *settings) fill(p *config.LitellmParams) {
	who := &s.identity
	if p.AWSRegionName == "" {
		p.AWSRegionName = who.Region
	}
	if p.APIBase == "" && p.AWSBedrockRuntimeEndpoint == "" {
		p.AWSBedrockRuntimeEndpoint = who.Endpoint
		p.AWSBedrockAgentRuntimeEndpoint = cmp.Or(p.AWSBedrockAgentRuntimeEndpoint, s.agentEndpoint)
	}
	p.AWSSTSEndpoint = cmp.Or(p.AWSSTSEndpoint, s.stsEndpoint)
	p.AllowHTTPUpstream = p.AllowHTTPUpstream || s.allowHTTP
	if isAmbient(p) {
		applyIdentity(p, who)
		if s.webToken != "" {
			p.AWSWebIdentityToken = secret.New(s.webToken)
		}
		if s.role.ARN != "" {
			p.AWSRoleName, p.AWSSessionName, p.AWSExternalID = s.role.ARN, s.role.SessionName, s.role.ExternalID
			p.AWSSessionPolicy, p.AWSRoleDuration = s.role.Policy, s.role.Duration
			for _, key := range slices.Sorted(maps.Keys(s.role.Tags)) {
				p.AWSSessionTags = append(p.AWSSessionTags, config.SessionTag{Key: key, Value: s.role.Tags[key]})
			}
		}
	}
	for name := range s.headers {
		if p.ExtraHeaders == nil {
			p.ExtraHeaders = map[string]secret.Secret{}
		}
		if _, has := p.ExtraHeaders[name]; !has {
			p.ExtraHeaders[name] = secret.New(s.headers.Get(name))
		}
	}
}

func isAmbient(p *config.LitellmParams) bool {
	return !p.APIKey.IsSet() && p.AWSAccessKeyID == "" && !p.AWSSecretAccessKey.IsSet() && p.AWSProfileName == "" && p.AWSRoleName == "" && !p.AWSWebIdentityToken.IsSet()
}

// applyIdentity writes an identity in the configuration's words.
func applyIdentity(p *config.LitellmParams, who *llm.Identity) {
	p.APIKey, p.AWSAccessKeyID, p.AWSProfileName = secret.New(who.BearerToken), who.AccessKeyID, who.Profile
	p.AWSSecretAccessKey, p.AWSSessionToken = secret.New(who.SecretAccessKey), secret.New(who.SessionToken)
	p.AWSRoleName, p.AWSSessionName, p.AWSExternalID = who.RoleARN, who.SessionName, who.ExternalID
	p.AWSWebIdentityToken = secret.New(who.WebIdentityToken)
}

// connection writes an identity as a request's connection parameters.
func connection(who *llm.Identity) map[string]secret.Secret {
	out := map[string]secret.Secret{}
	for name, value := range map[string]string{
		"api_key": who.BearerToken, "aws_access_key_id": who.AccessKeyID, "aws_secret_access_key": who.SecretAccessKey, "aws_session_token": who.SessionToken,
		"aws_profile_name": who.Profile, "aws_role_name": who.RoleARN, "aws_session_name": who.SessionName, "aws_external_id": who.ExternalID,
		"aws_web_identity_token": who.WebIdentityToken, "aws_region_name": who.Region, "aws_bedrock_runtime_endpoint": who.Endpoint,
	} {
		if value != "" {
			out[name] = secret.New(value)
		}
	}
	return out
}

// deployment writes one of the program's deployments in the configuration's words.
func (s *settings) deployment(i int, cat *catalog.Catalog) (config.Deployment, error) {
	d := &s.deployments[i]
	option := "WithDeployments[" + strconv.Itoa(i) + "]"
	switch {
	case d.Name == "" || d.Model == "":
		return config.Deployment{}, invalid(option, errors.New("a deployment needs a Name and a Model"))
	case d.Weight < 0 || d.RPM < 0 || d.TPM < 0 || d.MaxParallel < 0:
		return config.Deployment{}, invalid(option, errors.New("weights and quotas must not be negative"))
	}
	if _, err := cat.Resolve(d.Model); err != nil {
		return config.Deployment{}, invalid(option+".Model", err)
	}
	id := cmp.Or(d.ID, strings.Join([]string{d.Name, strconv.Itoa(i + 1), cmp.Or(d.Region, "any")}, "-"))
	out := config.Deployment{ModelName: d.Name, Info: config.ModelInfo{ID: id}, Params: config.LitellmParams{Model: d.Model, ModelID: d.ModelID, AWSRegionName: d.Region}}
	if who := d.Identity; who != nil {
		applyIdentity(&out.Params, who)
		out.Params.AWSRegionName = cmp.Or(d.Region, who.Region)
		out.Params.AWSBedrockRuntimeEndpoint = who.Endpoint
	}
	if d.Weight > 0 {
		out.Params.Weight = &d.Weight
	}
	for dst, n := range map[**int]int{&out.Params.Order: d.Order, &out.Params.RPM: d.RPM, &out.Params.TPM: d.TPM, &out.Params.MaxParallelRequests: d.MaxParallel} {
		if n != 0 {
			*dst = &n
		}
	}
	return out, nil
}

// routing applies what the options say of retries, time-outs and parameters.
func (s *settings) routing(c *config.Config) {
	r := &c.RouterSettings
	if s.retries != nil {
		r.NumRetries = s.retries
	}
	if s.timeout > 0 {
		r.Timeout = s.timeout
	}
	if s.drop {
		c.LitellmSettings.DropParams = true
	}
	if s.modify {
		c.LitellmSettings.ModifyParams = true
	}
	for model, others := range s.fallbacks {
		list := make([]config.Fallback, len(others))
		for i, other := range others {
			list[i].Model = other
		}
		if r.Fallbacks == nil {
			r.Fallbacks = config.Fallbacks{}
		}
		r.Fallbacks[model] = list
	}
}
