package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// finding is one line of the table.
type finding struct {
	what   string
	values []float64 // one a round
	format string    // of a value, with its unit
	// budget is what the median must not exceed, or with atLeast not fall
	// below. Zero: there is none.
	budget  float64
	atLeast bool
}

// report prints the table. The spread is that of the middle half of the rounds.
func report(w io.Writer, findings []finding) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tmedian\tmiddle half\tbudget\t")
	for _, f := range findings {
		sorted := slices.Sorted(slices.Values(f.values))
		show := func(v float64) string { return fmt.Sprintf(f.format, v) }
		spread := ""
		if n := len(sorted); n > 1 {
			spread = show(sorted[n/4]) + " to " + show(sorted[n-1-n/4])
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t\n", f.what, show(median(f.values)), spread, f.verdict(show))
	}
	return table.Flush()
}

func (f finding) verdict(show func(float64) string) string {
	m := median(f.values)
	switch {
	case f.budget == 0:
		return ""
	case f.atLeast && m >= f.budget:
		return "at least " + show(f.budget)
	case f.atLeast:
		return "MISSED: at least " + show(f.budget)
	case m <= f.budget:
		return "at most " + show(f.budget)
	}
	return "MISSED: at most " + show(f.budget)
}

// median of no values is zero.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare[float64])
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratios divides round by round.
func ratios(values, by []float64) []float64 {
	quotients := make([]float64, len(values))
	for i := range values {
		quotients[i] = values[i] / by[i]
	}
	return quotients
}
