package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// windows are what a client saw, one after the other.
type windows []window

// number is that of the last one.
func (w windows) number() int {
	if len(w) == 0 {
		return 0
	}
	return w[len(w)-1].Number
}

// since are those after a number.
func (w windows) since(number int) windows {
	for i := range w {
		if w[i].Number > number {
			return w[i:]
		}
	}
	return nil
}

// ending are those after SIGTERM.
func (w windows) ending() windows {
	for i := range w {
		if w[i].Ending {
			return w[i:]
		}
	}
	return nil
}

// answers adds up who answered.
func (w windows) answers() spread {
	sum := spread{}
	for i := range w {
		for backend, n := range w[i].Answers {
			sum[backend] += n
		}
	}
	return sum
}

// failures adds up what failed, by reason.
func (w windows) failures() spread {
	sum := spread{}
	for i := range w {
		for why, n := range w[i].Failures {
			sum[why] += n
		}
	}
	return sum
}

// sightings are the first and the last answer of a backend that are known of
// within a span of time; zero when there was none. Of each window the first and
// the last answer are known.
func (w windows) sightings(backend string, from, to time.Time) (first, last time.Time) {
	for i := range w {
		seen := w[i].Seen[backend]
		for _, at := range []time.Time{seen.First, seen.Last} {
			if at.Before(from) || at.After(to) {
				continue
			}
			if first.IsZero() || at.Before(first) {
				first = at
			}
			if at.After(last) {
				last = at
			}
		}
	}
	return first, last
}

// fullRate is how many requests a window holds when the client gets the CPU
// time that it needs.
const fullRate = float64(loadRate) * float64(windowLength/1e9)

// percents are the answers in each window, in percent of what was sent in it:
// on a busy machine the client sends less than it should.
func (w windows) percents() []int {
	var all []int
	for i := range w {
		all = append(all, int(100*float64(w[i].Answers.total())/max(1, float64(w[i].Sent))+0.5))
	}
	return all
}

// worst is the least of them.
func (w windows) worst() int {
	if len(w) == 0 {
		return 0
	}
	return slices.Min(w.percents())
}

// rate is the least that was sent in a window, in percent of what should be.
func (w windows) rate() int {
	least := fullRate
	for i := range w {
		least = min(least, float64(w[i].Sent))
	}
	return int(100*least/fullRate + 0.5)
}

// show is the failures and all windows.
func (w windows) show() string {
	failed := w.failures()
	text := fmt.Sprintf("%d of %d failed", failed.total(), failed.total()+w.answers().total())
	if len(failed) > 0 {
		text += " (" + failed.list() + ")"
	}
	text += fmt.Sprintf("; 2 s windows, %% of what was sent: %s", strings.Trim(fmt.Sprint(w.percents()), "[]"))
	const calm = 95
	if rate := w.rate(); rate < calm {
		text += fmt.Sprintf(" (the client sent as little as %d %% of 200/s)", rate)
	}
	return text
}
