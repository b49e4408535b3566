package main

import (
	"fmt"
	"strings"
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

// fullRate is how many answers a window holds when nothing is lost.
const fullRate = float64(loadRate) * float64(windowLength/1e9)

// percents are the answers in each window, in percent of the rate.
func (w windows) percents() []int {
	var all []int
	for i := range w {
		all = append(all, int(100*float64(w[i].Answers.total())/fullRate+0.5))
	}
	return all
}

// show is the failures and the windows that were not full.
func (w windows) show() string {
	failed := w.failures()
	text := fmt.Sprintf("%d of %d failed", failed.total(), failed.total()+w.answers().total())
	if len(failed) > 0 {
		text += " (" + failed.list() + ")"
	}
	return text + fmt.Sprintf("; 2 s windows in %% of the rate: %s", strings.Trim(fmt.Sprint(w.percents()), "[]"))
}
