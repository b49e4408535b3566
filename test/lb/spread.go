package main

import (
	"fmt"
	"math"
	"strings"
)

// total is how many answers there were.
func (s spread) total() int {
	sum := 0
	for _, n := range s {
		sum += n
	}
	return sum
}

// over is the spread over these backends alone, in their order, and how many
// answers came from others.
func (s spread) over(backends []*backend) (counts []int, others int) {
	others = s.total()
	for _, be := range backends {
		counts = append(counts, s[be.name()])
		others -= s[be.name()]
	}
	return counts, others
}

// even says whether each of these backends gave its part of the answers, 10 %
// more or less, and nobody else gave any.
func (s spread) even(backends []*backend) bool {
	const tolerance = 0.10
	counts, others := s.over(backends)
	fair := float64(s.total()) / float64(len(backends))
	for _, n := range counts {
		if math.Abs(float64(n)-fair) > tolerance*fair {
			return false
		}
	}
	return others == 0 && len(counts) > 0 && fair > 0
}

// show is the part of each backend in percent, "25/25/25/25".
func (s spread) show(backends []*backend) string {
	counts, others := s.over(backends)
	var parts []string
	for _, n := range counts {
		parts = append(parts, share(n, s.total()))
	}
	text := strings.Join(parts, "/")
	if others > 0 {
		text += fmt.Sprintf(" and %d of others", others)
	}
	return text
}

// list is every key with its number, in their order: "Internal:1 Unavailable:2".
func (s spread) list() string {
	return strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(map[string]int(s)), "map["), "]")
}
