package main

import "testing"

func TestMedianAndSpreadOfARatio(t *testing.T) {
	for name, tc := range map[string]struct {
		ours, floor sample
		median      float64
		text        string
	}{
		"of an odd number it is the middle one":             {sample{3, 9, 2}, sample{1, 3, 2}, 3, "3.00 (1.00-3.00)"},
		"of an even number it is between the middle ones":   {sample{4, 1, 2, 8}, sample{1, 1, 1, 1}, 3, "3.00 (1.00-8.00)"},
		"rounds are divided one by one, not as a whole":     {sample{10, 200}, sample{10, 100}, 1.5, "1.50 (1.00-2.00)"},
		"without any measurement there is nothing to print": {nil, nil, 0, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			ratio := tc.ours.over(tc.floor)
			if got := ratio.median(); got != tc.median {
				t.Errorf("median %v, want %v", got, tc.median)
			}
			if got := ratio.String(); got != tc.text {
				t.Errorf("printed %q, want %q", got, tc.text)
			}
		})
	}
}
