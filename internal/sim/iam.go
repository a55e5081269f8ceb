package sim

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

type iamDecision struct {
	EvalActionName   string
	EvalResourceName string
	EvalDecision     string
}

type iamResult struct {
	XMLName           xml.Name      `xml:"SimulatePrincipalPolicyResult"`
	EvaluationResults []iamDecision `xml:"EvaluationResults>member"`
	IsTruncated       bool
}

// simulatePolicy answers IAM's SimulatePrincipalPolicy: all is allowed but Options.Denied.
func (s *Server) simulatePolicy(r *http.Request, form url.Values, body []byte) (any, *apiError) {
	if _, refused := s.authenticate(r, "iam", body); refused != nil {
		return nil, refused
	}
	if slices.Contains(s.options.Denied, "iam:SimulatePrincipalPolicy") {
		return nil, &apiError{status: http.StatusForbidden, code: "AccessDenied", message: "User is not authorized to perform: iam:SimulatePrincipalPolicy"}
	}
	resources := listOf(form, "ResourceArns.member.")
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	var result iamResult
	for _, action := range listOf(form, "ActionNames.member.") {
		for _, resource := range resources {
			decision := "allowed"
			if slices.Contains(s.options.Denied, action) {
				decision = "implicitDeny"
			}
			result.EvaluationResults = append(result.EvaluationResults, iamDecision{action, resource, decision})
		}
	}
	return result, nil
}

// listOf returns the values name1, name2, … of a form.
func listOf(form url.Values, name string) []string {
	var list []string
	for i := 1; form.Has(name + strconv.Itoa(i)); i++ {
		list = append(list, form.Get(name+strconv.Itoa(i)))
	}
	return list
}
