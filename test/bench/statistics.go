package main

import (
	"fmt"
	"slices"
)

// sample is what several rounds measured.
type sample []float64

// median is the middle value, the mean of the two middle ones when there is no
// middle, 0 without any.
func (s sample) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// over divides value by value: the ratio of each round.
func (s sample) over(other sample) sample {
	ratios := make(sample, len(s))
	for i := range s {
		ratios[i] = s[i] / other[i]
	}
	return ratios
}

// String is the median with the spread, two decimals.
func (s sample) String() string {
	if len(s) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f (%.2f-%.2f)", s.median(), slices.Min(s), slices.Max(s))
}

// verdict says whether a figure meets its target.
func verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}
