package admission

import "testing"

func TestMentions(t *testing.T) {
	tests := map[string]struct {
		names []string
		body  string
		want  bool
	}{
		"nothing of ours":                     {nil, `{"livenessProbe":{"exec":{"command":["cat","/tmp/healthy"]}}}`, false},
		"the tool":                            {nil, `["/bin/grpc_health_probe"]`, true},
		"the tool with dashes":                {nil, `["grpc-health-probe-linux-amd64"]`, true},
		"an annotation of ours":               {nil, `{"probeshift.dev/probes":"off"}`, true},
		"an annotation with an escaped slash": {nil, `{"probeshift.dev\/probes":"off"}`, true},
		"a configured name":                   {[]string{"hc"}, `["/bin/hc"]`, true},
		"another name":                        {[]string{"hc"}, `["/bin/hd"]`, false},
		"a name that JSON may spell in ways":  {[]string{"a<b"}, `["x"]`, true},
		"an escape that may be a letter":      {nil, `["\u0067rpc_health_probe"]`, true},
		"the escapes of encoders":             {nil, `["\u003c\u003e\u0026\u2028\u2029\ufffd"]`, false},
		"an escape of a letter behind those":  {nil, `["\u003c\u0067"]`, true},
		"an escape at the end":                {nil, `["\u00`, true},
		"short escapes":                       {nil, `["\n\t\"\\\/\b\f\r"]`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := newMentions(test.names).in([]byte(test.body)); got != test.want {
				t.Errorf("in(%s) = %v", test.body, got)
			}
		})
	}
}
