package manifest

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
)

// The reasons for which a probe that could be native stays as it is written. They
// are beside those of package reason, because only a manifest has them.
const (
	// Template: the text is a template of Helm or another tool.
	Template reason.Code = "template"
	// KustomizePatch: the text changes an object that stands in another file.
	KustomizePatch reason.Code = "kustomize-patch"
	// Patched: a patch writes to the probe, or to what the decision depends on.
	Patched reason.Code = "patched"
	// AuditOnly: the template's annotation allows only a look.
	AuditOnly reason.Code = "audit-only"
	// SharedBlock: other users of an anchor would change with the probe.
	SharedBlock reason.Code = "shared-block"
	// UnknownKind: nobody said where the kind holds its Pods.
	UnknownKind reason.Code = "unknown-kind"
	// NotAPod: the Pod template does not decode.
	NotAPod reason.Code = "not-a-pod"
	// UnclearMerge: a merge stands behind a key that it holds too.
	UnclearMerge reason.Code = "unclear-merge"
	// UnusualText: the text cannot be edited in place.
	UnusualText reason.Code = "unusual-text"
	// NotParsed: the file is no YAML and no JSON.
	NotParsed reason.Code = "not-parsed"
	// NotUTF8: the file is written in another encoding.
	NotUTF8 reason.Code = "not-utf-8"
)

// entries explain the codes above, in their order.
var entries = []reason.Entry{
	{Code: Template, Sentence: "This is a template, which only a person should edit.",
		Remedy: "Put the suggested text in the place of the exec block, if the Pod declares the port."},
	{Code: KustomizePatch, Sentence: "This is a patch: what shows that the server listens beyond loopback stands in another file.",
		Remedy: "Edit it by hand together with its base, so that the patched object has one handler."},
	{Code: Patched, Sentence: "A kustomization writes to this probe, or to what shows that it may be rewritten.",
		Remedy: "Edit both together by hand: what counts is the object that kustomize builds."},
	{Code: AuditOnly, Sentence: "The template's annotation probeshift.dev/probes allows only a look.",
		Remedy: "Remove the annotation, or set it to rewrite."},
	{Code: SharedBlock, Sentence: "The probe is written in a block that other parts of the document use through an anchor.",
		Remedy: "Write the block out where it is used, and run migrate again."},
	{Code: UnknownKind, Sentence: "Where this kind holds its Pod template is not known.",
		Remedy: "Say so with --path KIND=FIELD.FIELD, such as --path Worker=spec.template."},
	{Code: NotAPod, Sentence: "The Pod template does not decode, so the API server would refuse it.",
		Remedy: "Correct the manifest, and run migrate again."},
	{Code: UnclearMerge, Sentence: "A merge (<<) stands behind a key that it holds too; YAML readers disagree about which one counts.",
		Remedy: "Keep the key in one place only, or put << in front of the keys that should win."},
	{Code: UnusualText, Sentence: "The text is written in a way that cannot be edited in place.",
		Remedy: "Write it plainly, such as keys without escapes, and run migrate again."},
	{Code: NotParsed, Sentence: "The file does not parse as YAML or JSON.",
		Remedy: "Correct the file; if it is a template, migrate what it renders or edit it by hand."},
	{Code: NotUTF8, Sentence: "The file is not written in UTF-8.",
		Remedy: "Save it as UTF-8, and run migrate again."},
}

// Reasons returns the reasons that only manifests have, with a sentence and a
// remedy each.
func Reasons() []reason.Entry { return append([]reason.Entry(nil), entries...) }

// Finding is what was decided of one probe, or of a text in which probes of the
// tool could not be read.
type Finding struct {
	// Line and Column are where it stands in the file, both from 1, the column in
	// characters. Both are 0 where a finding is about the whole file.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Kind, Namespace and Name are the object's, as far as they are known.
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Container and Probe name the probe; they are empty where none was read.
	Container string           `json:"container,omitempty"`
	Probe     mutate.ProbeKind `json:"probe,omitempty"`
	// Outcome is rewritten when the edit is in the result, and skipped otherwise.
	Outcome mutate.Outcome `json:"outcome"`
	// Reason is why it was skipped; Detail is what in the text it stands on.
	Reason reason.Code `json:"reason,omitempty"`
	Detail string      `json:"detail,omitempty"`
	// Sentence and Remedy tell it to a person.
	Sentence string `json:"sentence"`
	Remedy   string `json:"remedy,omitempty"`
	// Command is the exec command as written. It may hold secrets.
	Command []string `json:"command,omitempty"`
	// TimeoutSeconds and NewTimeoutSeconds are those before and after; 1 where the
	// manifest has none.
	TimeoutSeconds    int32 `json:"timeoutSeconds,omitempty"`
	NewTimeoutSeconds int32 `json:"newTimeoutSeconds,omitempty"`
	// GRPC is the native handler of a probe that is not skipped.
	GRPC *corev1.GRPCAction `json:"grpc,omitempty"`
	// Suggestion is the text that could stand in the place of the exec block of a
	// template.
	Suggestion string `json:"suggestion,omitempty"`
	// Remarks are about the Pod as a whole, with its first finding.
	Remarks []string `json:"remarks,omitempty"`
}

// newFinding is a finding of mutate at a place of a file.
func newFinding(o object, f mutate.Finding) Finding {
	return Finding{
		Kind: o.kind, Namespace: o.namespace, Name: o.name,
		Container: f.Container, Probe: f.Probe, Outcome: f.Outcome, Reason: f.Reason, Detail: f.Detail,
		Sentence: f.Sentence(), Remedy: f.Reason.Remedy(), Command: f.Command,
		TimeoutSeconds: f.TimeoutSeconds, NewTimeoutSeconds: f.NewTimeoutSeconds, GRPC: f.GRPC,
	}
}

// skip turns a finding into a skipped one.
func (f *Finding) skip(code reason.Code, detail string) {
	f.Outcome, f.Reason, f.Detail = mutate.Skipped, code, detail
	f.GRPC, f.NewTimeoutSeconds = nil, 0
	f.Sentence, f.Remedy = code.Sentence(), code.Remedy()
	for _, e := range entries {
		if e.Code == code {
			f.Sentence, f.Remedy = e.Sentence, e.Remedy
		}
	}
}

// propose adds what could stand in the place of a block that is not edited, or
// says that nothing can.
func (f *Finding) propose(text string, code reason.Code) {
	f.Suggestion = text
	if text == "" {
		f.Detail = string(code)
		f.Remedy = "Rewrite the exec block by hand, or migrate what the template renders."
		if remedy := code.Remedy(); remedy != "" {
			f.Remedy = remedy
		}
	}
}

// about is a finding that is about no probe in particular.
func about(line, column int, code reason.Code, detail string) Finding {
	f := Finding{Line: line, Column: column}
	f.skip(code, detail)
	return f
}

// undecoded is a finding about a template that does not decode.
func undecoded(t template, err error) Finding {
	code := NotAPod
	if _, clash := errors.AsType[clashError](err); clash {
		code = UnclearMerge
	}
	f := about(t.node.Line, t.node.Column, code, shorten(err.Error()))
	f.Kind, f.Namespace, f.Name = t.object.kind, t.object.namespace, t.object.name
	return f
}

// Held names probes that stay as they are because a kustomization writes to them,
// or to what they are judged by: the patched object could have two handlers, or a
// port that nobody listens on. What is empty matches everything.
type Held struct {
	Kind, Container string
	Probe           mutate.ProbeKind
	// Name is a regular expression that has to match the whole name, as in the
	// target of a kustomize patch.
	Name *regexp.Regexp
	// Variables says that only probes with a variable in their command are meant.
	Variables bool
	// By is the file that writes.
	By string
}

func (h Held) holds(f Finding) bool {
	return (h.Kind == "" || h.Kind == f.Kind) && (h.Container == "" || h.Container == f.Container) &&
		(h.Probe == "" || h.Probe == f.Probe) && (h.Name == nil || h.Name.MatchString(f.Name)) &&
		(!h.Variables || slices.ContainsFunc(f.Command, func(word string) bool { return strings.Contains(word, "$") }))
}
