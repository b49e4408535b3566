package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// testUID is a uid as API servers make them.
const testUID = "705ab4f5-6393-11e8-b7cc-42010a800002"

// reviewOf is a review of a workload's Pod, with as little around it as
// possible.
func reviewOf(t *testing.T, w workload) review {
	t.Helper()
	object, err := json.Marshal(w.pod)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		UID:    testUID,
		Object: runtime.RawExtension{Raw: object},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return review{workload: w, body: body}
}

func answerWith(patch string) string {
	answer := fmt.Sprintf(`{"response":{"uid":%q,"allowed":true`, testUID)
	if patch != "" {
		answer += fmt.Sprintf(`,"patchType":"JSONPatch","patch":%q`, base64.StdEncoding.EncodeToString([]byte(patch)))
	}
	return answer + "}}"
}

func TestAnAnswerIsWrong(t *testing.T) {
	const (
		grpc = `{"op":"remove","path":"/spec/containers/0/PROBE/exec"},{"op":"add","path":"/spec/containers/0/PROBE/grpc","value":{"port":9000,"service":""}}`
		mark = `{"op":"add","path":"/metadata/annotations","value":{"probeshift.dev/status":"{}"}}`
	)
	both := fmt.Sprintf("%s,%s", bytes.ReplaceAll([]byte(grpc), []byte("PROBE"), []byte("readinessProbe")),
		bytes.ReplaceAll([]byte(grpc), []byte("PROBE"), []byte("livenessProbe")))
	one := string(bytes.ReplaceAll([]byte(grpc), []byte("PROBE"), []byte("readinessProbe")))
	ours, floor, textbook := kind{rewrites: true, marks: true}, kind{}, kind{rewrites: true}
	nothing := workload{pod: smallPod(httpGet)}
	rewritten := workload{pod: smallPod(plaintext), ours: true, native: 2}

	for name, tc := range map[string]struct {
		kind   kind
		load   workload
		answer string
		wrong  bool
	}{
		"not when the floor leaves the Pod as it is":         {floor, rewritten, answerWith(""), false},
		"not when both probes are native and the Pod marked": {ours, rewritten, answerWith("[" + both + "," + mark + "]"), false},
		"not when the textbook webhook leaves no mark":       {textbook, rewritten, answerWith("[" + both + "]"), false},
		"not when there was nothing to do":                   {ours, nothing, answerWith(""), false},
		"when a probe was missed":                            {ours, rewritten, answerWith("[" + one + "," + mark + "]"), true},
		"when nothing was rewritten":                         {textbook, rewritten, answerWith(""), true},
		"when the mark is missing":                           {ours, rewritten, answerWith("[" + both + "]"), true},
		"when a Pod was marked without a reason":             {ours, nothing, answerWith("[" + mark + "]"), true},
		"when the patch does not apply":                      {ours, rewritten, answerWith(`[{"op":"remove","path":"/spec/gone"}]`), true},
		"when a probe has two handlers":                      {textbook, rewritten, answerWith(`[{"op":"add","path":"/spec/containers/0/readinessProbe/grpc","value":{"port":9000}}]`), true},
		"when it is another review's":                        {floor, nothing, `{"response":{"uid":"another","allowed":true}}`, true},
		"when the Pod is refused":                            {floor, nothing, fmt.Sprintf(`{"response":{"uid":%q,"allowed":false}}`, testUID), true},
		"when there is no response":                          {floor, nothing, `{}`, true},
		"when it is no JSON":                                 {floor, nothing, `Bad Gateway`, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := reviewOf(t, tc.load)
			err := checkAnswer(tc.kind, r, []byte(tc.answer))
			if tc.wrong != (err != nil) {
				t.Errorf("judged as %v", err)
			}
		})
	}
}

func TestUnderLoadAnAnswerWithoutItsPatchIsWrong(t *testing.T) {
	rewritten := workload{pod: smallPod(plaintext), ours: true, native: 2}
	ours := kind{rewrites: true, marks: true}
	if err := looksRight(ours, rewritten, []byte(testUID), []byte(answerWith("[]"))); err != nil {
		t.Errorf("with a patch: %v", err)
	}
	if err := looksRight(ours, rewritten, []byte(testUID), []byte(answerWith(""))); err == nil {
		t.Error("it counts as right without a patch")
	}
	if err := looksRight(kind{}, rewritten, []byte(testUID), []byte(answerWith("[]"))); err == nil {
		t.Error("a patch of the floor counts as right")
	}
	if err := looksRight(kind{}, rewritten, []byte("another"), []byte(answerWith(""))); err == nil {
		t.Error("another review's answer counts as right")
	}
}

func TestVariantsOfAReviewDifferInUIDAndNames(t *testing.T) {
	r := reviewOf(t, workload{pod: smallPod(plaintext)})
	one, two := r.variant(1), r.variant(2)
	if bytes.Equal(one, two) {
		t.Error("two variants are the same")
	}
	if bytes.Equal(reviewUID(one), reviewUID(two)) {
		t.Errorf("both have the uid %s", reviewUID(one))
	}
	if len(one) != len(r.body) || bytes.Contains(one, []byte(templateHash)) {
		t.Error("a variant has another size, or an old name in it")
	}
	if !json.Valid(one) {
		t.Errorf("a variant is no JSON: %s", one)
	}
}

func TestTheFloorAllowsWithTheUIDOfTheReview(t *testing.T) {
	r := reviewOf(t, workload{pod: smallPod(plaintext)})
	recorder := httptest.NewRecorder()
	allow(recorder, r.body)
	if err := checkAnswer(kind{}, r, recorder.Body.Bytes()); err != nil {
		t.Error(err)
	}
}
