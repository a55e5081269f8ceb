package wire

import "testing"

func TestHostsOfAllPartitions(t *testing.T) {
	f := func(region, domain, dualStack string) {
		t.Helper()
		for _, service := range []string{"bedrock-runtime", "bedrock", "bedrock-agent-runtime"} {
			for _, c := range []struct {
				o    EndpointOptions
				want string
			}{
				{EndpointOptions{}, service + "." + region + "." + domain},
				{EndpointOptions{FIPS: true}, service + "-fips." + region + "." + domain},
				{EndpointOptions{DualStack: true}, service + "." + region + "." + dualStack},
				{EndpointOptions{FIPS: true, DualStack: true}, service + "-fips." + region + "." + dualStack},
			} {
				e, err := ResolveEndpoint(service, region, c.o)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := e.URL.String(), "https://"+c.want; got != want {
					t.Errorf("%s in %s with %+v: %s, want %s", service, region, c.o, got, want)
				}
				if e.Service != "bedrock" || e.Region != region {
					t.Errorf("%s in %s is signed for %s in %s", service, region, e.Service, e.Region)
				}
			}
		}
	}
	f("us-east-1", "amazonaws.com", "api.aws")
	f("xx-future-9", "amazonaws.com", "api.aws")
	f("us-gov-west-1", "amazonaws.com", "api.aws")
	f("cn-north-1", "amazonaws.com.cn", "api.amazonwebservices.com.cn")
	f("eusc-de-east-1", "amazonaws.eu", "api.amazonwebservices.eu")
	f("us-iso-east-1", "c2s.ic.gov", "api.aws.ic.gov")
	f("us-isob-east-1", "sc2s.sgov.gov", "api.aws.scloud")
	f("eu-isoe-west-1", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk")
	f("us-isof-south-1", "csp.hci.ic.gov", "api.aws.hci.ic.gov")
}

func TestOtherServices(t *testing.T) {
	f := func(service, region string, o EndpointOptions, url, signedService, signedRegion string) {
		t.Helper()
		e, err := ResolveEndpoint(service, region, o)
		if err != nil {
			t.Fatal(err)
		}
		if e.URL.String() != url || e.Service != signedService || e.Region != signedRegion {
			t.Errorf("%s in %s: %s for %s in %s", service, region, e.URL, e.Service, e.Region)
		}
	}
	f("sts", "eu-west-1", EndpointOptions{}, "https://sts.eu-west-1.amazonaws.com", "sts", "eu-west-1")
	f("sts", "eu-west-1", EndpointOptions{FIPS: true}, "https://sts-fips.eu-west-1.amazonaws.com", "sts", "eu-west-1")
	f("sts", "us-gov-west-1", EndpointOptions{FIPS: true}, "https://sts.us-gov-west-1.amazonaws.com", "sts", "us-gov-west-1")
	f("sts", "us-gov-west-1", EndpointOptions{FIPS: true, DualStack: true}, "https://sts-fips.us-gov-west-1.api.aws", "sts", "us-gov-west-1")
	f("sts", "aws-global", EndpointOptions{}, "https://sts.amazonaws.com", "sts", "us-east-1")
	f("bedrock-mantle", "us-east-1", EndpointOptions{}, "https://bedrock-mantle.us-east-1.api.aws", "bedrock", "us-east-1")
}

func TestOverrides(t *testing.T) {
	f := func(override string, allowHTTP bool, want string) {
		t.Helper()
		e, err := ResolveEndpoint("bedrock-runtime", "us-east-1", EndpointOptions{Override: override, AllowHTTP: allowHTTP, FIPS: true})
		switch {
		case want == "" && err == nil:
			t.Errorf("%s gives %s, want an error", override, e.URL)
		case want != "" && err != nil:
			t.Errorf("%s: %v", override, err)
		case want != "" && e.URL.String() != want:
			t.Errorf("%s gives %s, want %s", override, e.URL, want)
		}
	}
	f("https://proxy.corp/aws", false, "https://proxy.corp/aws")
	f("https://proxy.corp/aws/", false, "https://proxy.corp/aws")
	f("https://proxy.corp/a%2Fb/", false, "https://proxy.corp/a%2Fb")
	f("https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com", false, "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com")
	f("http://localhost:4566", false, "http://localhost:4566")
	f("http://127.0.0.1:4566", false, "http://127.0.0.1:4566")
	f("http://[::1]:4566", false, "http://[::1]:4566")
	f("http://10.1.2.3", false, "http://10.1.2.3")
	f("http://bedrock.example.com", false, "")
	f("http://bedrock.example.com", true, "http://bedrock.example.com")
	f("ftp://localhost", false, "")
	f("https://user:pass@host", false, "")
	f("https://host/?a=b", false, "")
	f("https://host/#x", false, "")
	f("host:443", false, "")
	f("://", false, "")
}

func TestRegionNames(t *testing.T) {
	f := func(name string, want bool) {
		t.Helper()
		if got := ValidRegion(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
		if _, err := ResolveEndpoint("bedrock", name, EndpointOptions{}); (err == nil) != want {
			t.Errorf("endpoint in %q: %v", name, err)
		}
	}
	f("us-east-1", true)
	f("us-isof-south-1", true)
	f("", false)
	f("US-EAST-1", false)
	f("us_east_1", false)
	f("evil.example.com/", false)
	f("-us", false)
	f("us-", false)
}

func TestWhichEndpointsArePublic(t *testing.T) {
	f := func(address string, want bool) {
		t.Helper()
		e, err := ResolveEndpoint("bedrock-runtime", "us-east-1", EndpointOptions{Override: address, AllowHTTP: true})
		if err != nil {
			t.Fatal(err)
		}
		if e.IsPublic() != want {
			t.Errorf("%s: %v", address, !want)
		}
	}
	for _, region := range []string{"us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"} {
		for _, o := range []EndpointOptions{{}, {FIPS: true}, {DualStack: true}} {
			if e, err := ResolveEndpoint("bedrock-runtime", region, o); err != nil || !e.IsPublic() {
				t.Errorf("%s with %+v: %v %v", region, o, e.URL, err)
			}
		}
	}
	f("https://bedrock-runtime.eu-west-1.amazonaws.com", true)
	f("https://bedrock-runtime.eu-west-1.api.aws", true)
	f("https://bedrock-runtime.eu-west-1.amazonaws.com/inner", false)
	f("https://bedrock-runtime.eu-west-1.amazonaws.com:8443", false)
	f("https://vpce-1-2.bedrock-runtime.us-east-1.vpce.amazonaws.com", false)
	f("https://bedrock-runtime.us-east-1.vpce.amazonaws.com", false)
	f("https://internal-lb-1.us-east-1.elb.amazonaws.com", false)
	f("https://abc.execute-api.us-east-1.amazonaws.com", false)
	f("https://bedrock-runtime.us-east-1.evilamazonaws.com", false)
	f("https://bedrock-runtime.us-east-1.amazonaws.com.corp", false)
	f("https://bedrock-runtime", false)
	f("http://10.1.2.3", false)
	f("http://127.0.0.1:4566", false)
	f("https://proxy.corp/aws", false)
}
