package certs

import "time"

// clock gives the time. Monotonic time never jumps; its origin is arbitrary.
type clock interface {
	wall() time.Time
	monotonic() time.Duration
}

// systemClock is the clock of the machine. Its now must give times with a
// monotonic reading, as time.Now does.
type systemClock struct {
	now    func() time.Time
	origin time.Time
}

var _ clock = systemClock{}

func (c systemClock) wall() time.Time          { return c.now().Round(0) }
func (c systemClock) monotonic() time.Duration { return c.now().Sub(c.origin) }

// serverClock estimates the API server's clock from the Date header of its
// last answer.
type serverClock struct {
	date time.Time
	at   time.Duration // monotonic
}

// observe takes an answer into account; a zero date is left out.
func (s *serverClock) observe(date time.Time, monotonic time.Duration) {
	if !date.IsZero() {
		s.date, s.at = date, monotonic
	}
}

// now returns both clocks. Before the first answer they agree.
func (s *serverClock) now(c clock) Now {
	local := c.wall()
	if s.date.IsZero() {
		return Now{Local: local, Server: local}
	}
	return Now{Local: local, Server: s.date.Add(c.monotonic() - s.at)}
}
