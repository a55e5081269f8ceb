package identity

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/outcrop-ai/outcrop/internal/bedrock/wire"
)

// ErrNotAsked says that IAM was not asked what an identity may do: nobody knows where, or about whom.
var ErrNotAsked = errors.New("IAM cannot be asked about this identity")

// Denied asks IAM's policy simulator which of the actions on the resources i may not do; nil is that it may do them all. It
// judges the policies of the user or the role, not those of the organisation or of resources. principal is the ARN that
// [Pool.WhoAmI] found. Who asks needs iam:SimulatePrincipalPolicy. Of o count how AWS is reached, and the role. The error
// is ErrNotAsked, or IAM's.
func (p *Pool) Denied(ctx context.Context, i *Identity, o Options, principal string, actions, resources []string) ([]string, error) {
	about := policySource(&o, principal)
	endpoint := p.get("AWS_ENDPOINT_URL_IAM")
	if i.bearer != nil || about == "" || endpoint == "" && (o.STSEndpoint != "" || p.get("AWS_ENDPOINT_URL_STS") != "" || p.get("AWS_STS_ENDPOINT") != "" || p.get("AWS_ENDPOINT_URL") != "") {
		return nil, ErrNotAsked // where STS is somebody's own, AWS's IAM is not meant
	}
	client, err := p.client(&o)
	if err != nil {
		return nil, err
	}
	asked := iam.Options{Region: o.STSRegion, HTTPClient: client, Credentials: aws.CredentialsProviderFunc(i.retrieve), RetryMaxAttempts: 2}
	if endpoint != "" {
		e, err := wire.ResolveEndpoint("iam", "us-east-1", wire.EndpointOptions{Override: endpoint, AllowHTTP: o.AllowHTTP})
		if err != nil {
			return nil, err
		}
		asked.BaseEndpoint = aws.String(e.URL.String())
	}
	out, err := iam.New(asked).SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: &about, ActionNames: actions, ResourceArns: concrete(resources),
	})
	if err != nil {
		return nil, err
	}
	var denied []string
	for _, r := range out.EvaluationResults {
		on := aws.ToString(r.EvalActionName)
		if name := aws.ToString(r.EvalResourceName); name != "" && name != "*" {
			on += " on " + name
		}
		if r.EvalDecision != types.PolicyEvaluationDecisionTypeAllowed {
			denied = append(denied, on)
		}
	}
	return denied, nil
}

// policySource is the user or the role whose policies count: for a role's session, the role.
func policySource(o *Options, principal string) string {
	if o.RoleARN != "" {
		return o.RoleARN
	}
	if strings.HasSuffix(principal, ":root") {
		return "" // may do everything, and has no policies
	}
	head, session, isRole := strings.Cut(principal, ":assumed-role/")
	if !isRole {
		return principal
	}
	name, _, _ := strings.Cut(session, "/")
	return strings.Replace(head, ":sts:", ":iam:", 1) + ":role/" + name // of roles with a path IAM says that there is none
}

// concrete leaves out resources with a "*": they stand for many.
func concrete(resources []string) []string {
	var list []string
	for _, r := range resources {
		if !strings.Contains(r, "*") {
			list = append(list, r)
		}
	}
	return list
}
