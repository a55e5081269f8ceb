package identity

import "time"

// metadataTime bounds the question for the region of the machine that this runs on.
const metadataTime = 2 * time.Second

// RegionSources are the places where a region can be said, the nearest first.
type RegionSources struct {
	// Parameter is the deployment's aws_region_name; Path the region in the model's name; ModelID and Model the regions of
	// the ARNs in model_id and model; Profile the region that the identity brings, see [Identity.Region].
	Parameter, Path, ModelID, Model, Profile string
}

// DefaultRegion is used when nobody says one, as with LiteLLM.
const DefaultRegion = "us-west-2"

// regionVariables are the environment's words for a region, the first that is set counts.
var regionVariables = []string{"AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"}

// ResolveRegion returns the region to call, and a warning for the operator when the sources disagree or are silent.
func ResolveRegion(s RegionSources, env func(string) (string, bool)) (region, warning string) {
	arn := s.ModelID
	if arn == "" {
		arn = s.Model
	}
	switch {
	case s.Parameter != "" && arn != "" && s.Parameter != arn:
		return s.Parameter, "aws_region_name is " + s.Parameter + ", but the ARN is in " + arn + ": AWS will not find it there"
	case s.Parameter != "" && s.Path != "" && s.Parameter != s.Path:
		return s.Parameter, "aws_region_name is " + s.Parameter + ", but the model's name says " + s.Path + ": aws_region_name is used"
	case s.Parameter == "" && s.Path != "" && arn != "" && s.Path != arn:
		return s.Path, "the model's name says " + s.Path + ", but the ARN is in " + arn + ": AWS will not find it there"
	}
	for _, r := range []string{s.Parameter, s.Path, arn, envRegion(env), s.Profile} {
		if r != "" {
			return r, ""
		}
	}
	return DefaultRegion, "no region is configured: " + DefaultRegion + " is used (set aws_region_name or AWS_REGION)"
}

// envRegion is the region that the environment says, or "".
func envRegion(env func(string) (string, bool)) string {
	for _, name := range regionVariables {
		if r, ok := env(name); ok && r != "" {
			return r
		}
	}
	return ""
}
