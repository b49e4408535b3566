package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// cost is the CPU time a request, in microseconds, of each server for one
// review; one value a round.
type cost struct {
	review
	micros map[string]sample
}

// measureCosts sends every review to every server, round by round. The servers
// take turns within a round, so that a ratio is of neighbours in time.
func measureCosts(ctx context.Context, p plan, cert certificate, processes []*process, reviews []review) ([]cost, error) {
	caller := newCaller(cert, p.clients)
	defer caller.close()
	var costs []cost
	for _, r := range reviews {
		c := cost{review: r, micros: map[string]sample{}}
		requests := p.smallRequests
		if r.large {
			requests = p.largeRequests
		}
		for round := range p.costRounds + 1 {
			for _, server := range processes {
				used, err := cpuPerRequest(ctx, caller, server, r, int(float64(requests)*server.share))
				if err != nil {
					return nil, err
				}
				if round > 0 { // the first one warms up
					c.micros[server.name] = append(c.micros[server.name], used)
				}
			}
		}
		costs = append(costs, c)
	}
	return costs, nil
}

// cpuPerRequest sends a review n times and returns what one request cost the
// server, in microseconds.
func cpuPerRequest(ctx context.Context, caller *caller, server *process, r review, n int) (float64, error) {
	answer, err := caller.send(ctx, server.url(), r.body)
	if err != nil {
		return 0, err
	}
	if err := checkAnswer(server.kind, r, answer); err != nil {
		return 0, err
	}
	before, err := server.cpu()
	if err != nil {
		return 0, err
	}
	uid := reviewUID(r.body)
	err = load(ctx, caller.clients, n, func(ctx context.Context, _ int) error {
		answer, err := caller.send(ctx, server.url(), r.body)
		if err != nil {
			return err
		}
		return looksRight(server.kind, r.workload, uid, answer)
	})
	if err != nil {
		return 0, err
	}
	after, err := server.cpu()
	if err != nil {
		return 0, err
	}
	return float64(after-before) / float64(time.Microsecond) / float64(n), nil
}

// printCosts prints the table of ratios.
func printCosts(out io.Writer, p plan, costs []cost) error {
	fmt.Fprintf(out, "\nCPU of the server per request, in microseconds and as a multiple of the floor's\n")
	fmt.Fprintf(out, "(median of %d interleaved rounds, least and most in brackets)\n\n", p.costRounds)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "review\tKB\tfloor\ttextbook\tx floor\tours\tx floor\ttarget\t")
	for _, c := range costs {
		floor, textbook, ours := c.micros["floor"], c.micros["textbook"], c.micros["ours"]
		ratio := ours.over(floor)
		target, met := "-", ""
		if c.target > 0 {
			target, met = fmt.Sprintf("<= %.1f", c.target), verdict(ratio.median() <= c.target)
		}
		fmt.Fprintf(table, "%s\t%.1f\t%.0f\t%.0f\t%s\t%.0f\t%s\t%s\t%s\n", c.name, float64(len(c.body))/1000,
			floor.median(), textbook.median(), textbook.over(floor), ours.median(), ratio, target, met)
	}
	return table.Flush()
}
