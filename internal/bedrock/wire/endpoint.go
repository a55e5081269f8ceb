package wire

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// The services of Bedrock's that requests in AWS's own words are for, by the names of their hosts.
const (
	ServiceRuntime      = "bedrock-runtime"
	ServiceAgentRuntime = "bedrock-agent-runtime"
	ServiceControl      = "bedrock"
)

// Endpoint is where calls go and how they are signed.
type Endpoint struct {
	// URL has scheme, host and an optional base path without a slash at its end.
	URL *url.URL
	// Region and Service are those of the signature's scope.
	Region, Service string
}

// EndpointOptions choose among the variants of an endpoint.
type EndpointOptions struct {
	// Override replaces AWS's own host; a base path in it is kept.
	Override string
	// FIPS and DualStack choose AWS's variants of the host.
	FIPS, DualStack bool
	// AllowHTTP permits http:// towards hosts that are neither loopback nor private.
	AllowHTTP bool
}

// partition is a separate AWS with its own domains.
type partition struct{ prefix, name, domain, dualStack string }

// partitions are told by the region's prefix; the last, without one, is the commercial AWS.
// Source: the endpoint rule sets of the AWS SDKs.
var partitions = []partition{
	{"us-gov-", "aws-us-gov", "amazonaws.com", "api.aws"},
	{"cn-", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
	{"eusc-", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu"},
	{"us-iso-", "aws-iso", "c2s.ic.gov", "api.aws.ic.gov"},
	{"us-isob-", "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud"},
	{"eu-isoe-", "aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
	{"us-isof-", "aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
	{"", "aws", "amazonaws.com", "api.aws"},
}

// globalRegion is the pseudo region of services that have one host for all of the commercial AWS.
const globalRegion = "aws-global"

// ResolveEndpoint returns the endpoint of a service, such as "bedrock-runtime", in a region. The signature's service
// name is "bedrock" for all of Bedrock's services.
func ResolveEndpoint(service, region string, o EndpointOptions) (Endpoint, error) {
	if !ValidRegion(region) {
		return Endpoint{}, fmt.Errorf("%q is not the name of an AWS region", region)
	}
	signing := service
	if strings.HasPrefix(service, "bedrock") {
		signing = "bedrock"
	}
	e := Endpoint{Region: region, Service: signing}
	if o.Override != "" {
		u, err := overrideURL(o.Override, o.AllowHTTP)
		e.URL = u
		return e, err
	}
	if service == "sts" && region == globalRegion {
		e.Region = "us-east-1" // the global STS lives there
	}
	e.URL = &url.URL{Scheme: "https", Host: host(service, region, o)}
	return e, nil
}

func host(service, region string, o EndpointOptions) string {
	name := service
	switch {
	case service == "sts" && region == globalRegion:
		return "sts.amazonaws.com"
	case service == "bedrock-mantle":
		o.DualStack = true // its only host
	}
	gov := strings.HasPrefix(region, "us-gov-")
	if o.FIPS && !(service == "sts" && gov && !o.DualStack) { // STS in GovCloud is FIPS under its normal name
		name += "-fips"
	}
	for _, p := range partitions {
		if strings.HasPrefix(region, p.prefix) {
			if o.DualStack {
				return name + "." + region + "." + p.dualStack
			}
			return name + "." + region + "." + p.domain
		}
	}
	return ""
}

// Partition returns the partition that a region is in, as ARNs name it: aws, aws-us-gov, aws-cn, ….
func Partition(region string) string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.prefix) {
			return p.name
		}
	}
	return ""
}

// AgentRuntime returns the address of bedrock-agent-runtime that goes with one of bedrock-runtime's: where the host's name
// holds that service's, the other's stands in its place; a proxy serves both.
func AgentRuntime(override string) string {
	u, err := url.Parse(override)
	if err != nil || override == "" {
		return override
	}
	u.Host = strings.Replace(u.Host, "bedrock-runtime", "bedrock-agent-runtime", 1)
	return u.String()
}

// Mantle returns the address of Mantle's host that goes with one of bedrock-runtime's: a proxy serves both; where the host's
// name holds that service's it is AWS's, or a way to it, and Mantle has one of its own, which is "".
func Mantle(override string) string {
	if u, err := url.Parse(override); err == nil && strings.Contains(u.Host, "bedrock-runtime") {
		return ""
	}
	return override
}

// IsPublic reports whether the endpoint is one of AWS's own public addresses of Bedrock, which everybody may know. Proxies,
// load balancers and VPC endpoints are not, even under AWS's domains.
func (e Endpoint) IsPublic() bool {
	service, rest, _ := strings.Cut(e.URL.Host, ".")
	region, domain, _ := strings.Cut(rest, ".")
	if !strings.HasPrefix(service, "bedrock") || !ValidRegion(region) || e.URL.Path != "" {
		return false
	}
	for _, p := range partitions {
		if domain == p.domain || domain == p.dualStack {
			return true
		}
	}
	return false
}

// ValidRegion reports whether name has the shape of a region's name.
func ValidRegion(name string) bool {
	if name == "" || len(name) > 64 || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	for _, c := range name {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

var errEndpoint = errors.New("an endpoint must be an http(s) URL of a host without user, query or fragment")

// DirectEndpoint returns an address that is called as it stands: nothing is put behind it, nothing is signed.
func DirectEndpoint(address string, allowHTTP bool) (Endpoint, error) {
	u, err := checkedURL(address, allowHTTP)
	return Endpoint{URL: u}, err
}

func overrideURL(text string, allowHTTP bool) (*url.URL, error) {
	u, err := checkedURL(text, allowHTTP)
	if err != nil {
		return nil, err
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	return u, nil
}

func checkedURL(text string, allowHTTP bool) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errEndpoint
	}
	if u.Scheme == "http" && !allowHTTP && !near(u.Hostname()) {
		return nil, fmt.Errorf("the endpoint %s would get credentials and prompts over plain http: use https, or set allow_http_upstream", u.Host)
	}
	return u, nil
}

// near reports whether a host is this machine or in a private network.
func near(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast())
}
