package admission

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
)

// sameJSON holds what appendOperation writes against the type's own encoding.
func sameJSON(t *testing.T, operation jsonpatch.Operation) {
	t.Helper()
	written, err := appendOperation(nil, operation)
	if err != nil {
		t.Fatal(err)
	}
	marshalled, err := json.Marshal(&operation)
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(written, &got); err != nil {
		t.Fatalf("%s: %v", written, err)
	}
	if err := json.Unmarshal(marshalled, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operation (-want +got):\n%s", diff)
	}
}

func TestOperationIsWrittenAsItsTypeWritesItself(t *testing.T) {
	service, mode := `a"b`, corev1.GRPCProbeModeTLS
	var noGRPC *corev1.GRPCAction
	var noExec *corev1.ExecAction
	var noMap map[string]string
	for name, operation := range map[string]jsonpatch.Operation{
		"remove":                   jsonpatch.NewOperation("remove", "/spec/containers/0/readinessProbe/exec", nil),
		"add nil":                  jsonpatch.NewOperation("add", "/a", nil),
		"replace nil":              jsonpatch.NewOperation("replace", "/a", nil),
		"a string":                 jsonpatch.NewOperation("add", "/metadata/annotations/probeshift.dev~1status", "{\"a\":\"<\u2028>\"}"),
		"an empty string":          jsonpatch.NewOperation("add", "/a", ""),
		"invalid UTF-8":            jsonpatch.NewOperation("add", "/a\xff", "b\xff"),
		"a timeout":                jsonpatch.NewOperation("replace", "/a", int32(-5)),
		"a map":                    jsonpatch.NewOperation("add", "/a", map[string]string{"b": "1", "a/~": "2"}),
		"an empty map":             jsonpatch.NewOperation("add", "/a", map[string]string{}),
		"a map that is nil":        jsonpatch.NewOperation("add", "/a", noMap),
		"grpc":                     jsonpatch.NewOperation("add", "/a", corev1.GRPCAction{Port: 9000, Service: &service}),
		"grpc with mode":           jsonpatch.NewOperation("add", "/a", &corev1.GRPCAction{Port: 9000, Service: &service, Mode: &mode}),
		"grpc without service":     jsonpatch.NewOperation("add", "/a", &corev1.GRPCAction{Port: 9000}),
		"grpc that is nil":         jsonpatch.NewOperation("add", "/a", noGRPC),
		"exec":                     jsonpatch.NewOperation("add", "/a", &corev1.ExecAction{Command: []string{"a", "\x00"}}),
		"exec by value":            jsonpatch.NewOperation("add", "/a", corev1.ExecAction{Command: []string{"a"}}),
		"exec without command":     jsonpatch.NewOperation("add", "/a", corev1.ExecAction{}),
		"exec that is nil":         jsonpatch.NewOperation("add", "/a", noExec),
		"a value of another type":  jsonpatch.NewOperation("add", "/a", []corev1.EnvVar{{Name: "a"}}),
		"a number of another type": jsonpatch.NewOperation("add", "/a", 7),
		"a test without a value":   jsonpatch.NewOperation("test", "/a", nil),
	} {
		t.Run(name, func(t *testing.T) { sameJSON(t, operation) })
	}
}

func TestPatchThatCannotBeWrittenIsNotSent(t *testing.T) {
	f := newFixture(found(resultWith(jsonpatch.NewOperation("add", "/a", make(chan int)))))
	response := answerOf(t, f.post(reviewOf(legacyPod)))
	if !response.Allowed || response.Patch != nil || response.PatchType != nil {
		t.Errorf("answer: %+v", response)
	}
	if got := f.counted(internalError); got != 1 {
		t.Errorf("internal-error counted %v times", got)
	}
}

func FuzzOperation(f *testing.F) {
	f.Add("add", "/spec/containers/0/livenessProbe/grpc", "svc", "TLS", int32(9000))
	f.Add("replace", "/a~1b", "\xff\u2028<", "", int32(-1))
	f.Fuzz(func(t *testing.T, op, path, text, mode string, number int32) {
		grpcMode := corev1.GRPCProbeMode(mode)
		for _, value := range []any{
			nil, text, number, map[string]string{text: mode},
			corev1.GRPCAction{Port: number, Service: &text, Mode: &grpcMode},
			corev1.ExecAction{Command: []string{text, mode}},
		} {
			sameJSON(t, jsonpatch.NewOperation(op, path, value))
		}
	})
}
