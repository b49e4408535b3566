package explain

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
)

// show writes an explanation for people.
func (e Explanation) show(s *screen.Screen) {
	if e.Place != "" {
		s.Line(s.Paint(screen.Bold, e.Place))
	}
	if len(e.Command) > 0 {
		s.Wrapped("  exec  ", quoted(e.Command))
		s.Line("")
	}
	for i, st := range e.Steps {
		label := fmt.Sprintf("  %2d %-10s", i+1, st.Name)
		style := screen.Green
		if st.Stops != reason.None {
			style = screen.Yellow
		}
		s.Styled(style, label, st.Found)
		if st.Words != nil {
			s.Wrapped(strings.Repeat(" ", 15)+"= ", quoted(st.Words))
		}
		s.Styled(screen.Faint, strings.Repeat(" ", 15)+"rule: ", st.Rule)
	}
	s.Line("")
	r := e.Result
	if len(e.Steps) == 0 && r.Detail != "" { // else a step has told it
		r.Sentence += " (" + r.Detail + ")"
	}
	r.show(s)
}

// show writes what a probe becomes, or what stops it.
func (r result) show(s *screen.Screen) {
	if r.GRPC == nil {
		verdict := "  stays exec"
		if r.Reason != reason.None {
			verdict += ": " + string(r.Reason)
		}
		s.Line(s.Paint(screen.Yellow, verdict))
		s.Wrapped("    why: ", r.Sentence)
		if r.Remedy != "" {
			s.Wrapped("    fix: ", r.Remedy)
		}
		for line := range strings.Lines(r.Suggestion) {
			s.Line("    | " + strings.TrimRight(line, "\n"))
		}
		return
	}
	verdict := "  becomes"
	if r.Outcome == mutate.WouldRewrite {
		verdict = "  would become, but its annotation allows only a look"
	}
	s.Line(s.Paint(screen.Green, verdict))
	s.Line("    grpc:")
	s.Line("      port: " + strconv.Itoa(int(r.GRPC.Port)))
	service := `""`
	if r.GRPC.Service != nil && *r.GRPC.Service != "" {
		service = *r.GRPC.Service
	}
	s.Line("      service: " + service)
	if r.GRPC.Mode != nil {
		s.Line("      mode: " + string(*r.GRPC.Mode))
	}
	s.Line("    timeoutSeconds: " + strconv.Itoa(int(r.TimeoutSeconds)))
}

// quoted writes words as a shell would need them.
func quoted(words []string) string {
	texts := make([]string, 0, len(words))
	for _, w := range words {
		if w == "" || strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,") != "" {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		texts = append(texts, w)
	}
	return strings.Join(texts, " ")
}
