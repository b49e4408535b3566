package serve

import (
	"time"

	"google.golang.org/grpc/codes"

	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

// stream is what one open stream has asked for. Its names stay its own until it
// ends, also where it has given some up: those of a sidecar never change, and what
// nobody is held to cannot be miscounted.
type stream struct {
	names map[string]asked
	from  string
}

// asked is one name that a stream asked for.
type asked struct {
	// name is nil for one that is not of the form of a name.
	name *name
	// at is when it asked.
	at time.Time
}

// ask adds names to a stream. known tells which the client has an answer for.
// What there is no answer for here is passed to silent, and what is not as it
// should be to odd.
func (s *stream) ask(of *names, texts []string, known func(string) bool, silent func(string), odd func(string, reason)) error {
	at := of.now()
	for _, text := range texts {
		if _, again := s.names[text]; again {
			continue
		}
		if len(s.names) == maxNames {
			return refuse(tooManyNames, codes.ResourceExhausted, "more than %d names on one stream", maxNames)
		}
		means, err := resource.Parse(text)
		if err != nil {
			s.names[text] = asked{}
			silent(text)
			odd(text, malformedName)
			continue
		}
		name, answered := of.ask(text, means, known(text))
		s.names[text] = asked{name: name, at: at}
		if !answered {
			silent(text)
		}
		if name.beyond {
			odd(text, tooManyVariants)
		}
	}
	return nil
}

// all are the names that it holds.
func (s *stream) all() []*name {
	list := make([]*name, 0, len(s.names))
	for _, a := range s.names {
		if a.name != nil {
			list = append(list, a.name)
		}
	}
	return list
}

// since is how long ago the change was seen that led to what is served under a
// name now; ok is false where it is no news: it was there when the name was
// asked for.
func (s *stream) since(text string, now time.Time) (took time.Duration, ok bool) {
	a := s.names[text]
	if a.name == nil {
		return 0, false
	}
	changed := a.name.changedAt.Load()
	if changed == 0 || changed < a.at.UnixNano() {
		return 0, false
	}
	return now.Sub(time.Unix(0, changed)), true
}
