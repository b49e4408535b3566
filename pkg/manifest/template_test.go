package manifest_test

import (
	"testing"

	"github.com/probeshift/probeshift/pkg/manifest"
)

func TestOfATemplateOnlyDescriptionsAreProse(t *testing.T) {
	for text, line := range map[string]int{
		"description: runs grpc_health_probe\n":                                                        0,
		"spec:\n  shortDescription: 'runs grpc_health_probe'\n":                                        0,
		"spec:\n- description: |\n    It runs\n\n    - grpc_health_probe\n  name: x\n":                 0,
		"description:\r\n  grpc_health_probe\r\n":                                                      0,
		"description: |\n  text\nprobe: [grpc_health_probe]\n":                                         3,
		"a:\n  - description: text\n    probe: [grpc_health_probe]\n":                                  3,
		"a:\n  - description: text\n  - grpc_health_probe\n":                                           3,
		"description: |\n  exec:\n    command: [grpc_health_probe, -addr=:8080]\n":                     2,
		"x: {description: text, livenessProbe: {exec: {command: [grpc_health_probe, -addr=:8080]}}}\n": 1,
		"descriptionOf: grpc_health_probe\n":                                                           1,
	} {
		result, err := manifest.Edit([]byte(text+"{{ if }}\n"), manifest.Options{})
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		if len(result.Findings) > 0 {
			found = result.Findings[0].Line
		}
		if found != line {
			t.Errorf("line %d, want %d of\n%s%+v", found, line, text, result.Findings)
		}
	}
}
