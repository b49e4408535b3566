package manifest_test

import (
	"fmt"

	"github.com/probeshift/probeshift/pkg/manifest"
)

func ExampleEdit() {
	result, err := manifest.Edit([]byte(`apiVersion: v1
kind: Pod
metadata: {name: cart}
spec:
  containers:
  - name: server
    ports: [{containerPort: 8080}]   # gRPC
    livenessProbe:
      exec: {command: [grpc_health_probe, "-addr=:8080"]}   # every 10 s
`), manifest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range result.Findings {
		fmt.Printf("%d:%d %s: %s\n", f.Line, f.Column, f.Outcome, f.Sentence)
	}
	fmt.Print(string(result.Content))
	// Output:
	// 9:7 rewritten: The exec probe is now a grpc probe of port 8080.
	// apiVersion: v1
	// kind: Pod
	// metadata: {name: cart}
	// spec:
	//   containers:
	//   - name: server
	//     ports: [{containerPort: 8080}]   # gRPC
	//     livenessProbe:
	//       grpc: {port: 8080, service: ""}   # every 10 s
}
