package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// show runs the groups, each in a bed of its own, and prints the rows of each as
// soon as it is done. Groups that mostly wait run beside the others.
func show(ctx context.Context, o options, names []string, out io.Writer) error {
	chosen, err := choose(names)
	if err != nil {
		return err
	}
	if o.short && len(names) == 0 {
		chosen = slices.DeleteFunc(chosen, func(g group) bool { return g.long })
	}
	if o.python == "" && slices.ContainsFunc(chosen, func(g group) bool { return g.python }) {
		if o.python, err = fetchPython(ctx); err != nil {
			return err
		}
	}
	if o.webhook == "" && slices.ContainsFunc(chosen, func(g group) bool { return g.discovery }) {
		return errors.New("--webhook is missing, which the groups of discovery need: run make lb")
	}
	begin := time.Now()
	waited := cpuWait()
	table := &table{out: out, forgives: o.short}
	printHeader(out)

	// The short form runs several beds at the same time. What is measured has the
	// machine for itself, but for what waits.
	atOnce := 1
	if o.short {
		atOnce = 4
	}
	var running, waiting sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for _, g := range chosen {
		if g.waits {
			waiting.Go(func() { table.take(g, startBed(ctx, g, o)) })
		}
	}
	for _, g := range chosen {
		if g.waits || g.alone {
			continue
		}
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			table.take(g, startBed(ctx, g, o))
		})
	}
	running.Wait()
	for _, g := range chosen {
		if g.alone {
			table.take(g, startBed(ctx, g, o))
		}
	}
	waiting.Wait()
	table.showAgain(func(g group) bedRun { return startBed(ctx, g, o) })
	if share := waited(); share >= 0 {
		fmt.Fprintf(out, "\nprocesses of this machine waited for a CPU %.0f %% of the time\n", 100*share)
	}
	return table.end(time.Since(begin))
}

// cpuWait begins to watch for which share of the time some process of the machine
// waits for a CPU, and returns what tells so far; less than 0 where the kernel does
// not tell.
func cpuWait() (share func() float64) {
	begin, before := time.Now(), cpuPressure()
	return func() float64 {
		now := cpuPressure()
		if before < 0 || now < 0 {
			return -1
		}
		return (now - before).Seconds() / time.Since(begin).Seconds()
	}
}

// cpuPressure is for how long some process of the machine had to wait for a CPU
// since it was started, by /proc/pressure/cpu; less than 0 where the kernel does
// not tell. On a machine that is busy with something else, requests are late whose
// deadline is short.
func cpuPressure() time.Duration {
	content, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return -1
	}
	_, after, _ := strings.Cut(string(content), "total=")
	digits, _, _ := strings.Cut(after, "\n")
	microseconds, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1
	}
	return time.Duration(microseconds) * time.Microsecond
}

// choose returns the groups of these names, all of the form when there are none.
func choose(names []string) ([]group, error) {
	var chosen []group
	for _, g := range groups() {
		if len(names) == 0 || slices.Contains(names, g.name) {
			chosen = append(chosen, g)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(chosen, func(g group) bool { return g.name == name }) {
			return nil, fmt.Errorf("there is no group %q", name)
		}
	}
	return chosen, nil
}

// bedRun is a bed at work.
type bedRun struct {
	rows <-chan row
	// problem is why the bed ended, to be read after rows is closed.
	problem func() error
	// waited is for which share of the time so far some process waited for a CPU.
	waited func() float64
}

// startBed starts this program again, in namespaces of its own, to run a group.
func startBed(ctx context.Context, g group, o options) bedRun {
	rows := make(chan row)
	var problem error
	go func() {
		defer close(rows)
		problem = runInNamespaces(ctx, g, o, rows)
	}()
	return bedRun{rows: rows, problem: func() error { return problem }, waited: cpuWait()}
}

// runInNamespaces runs a group and hands its rows on.
func runInNamespaces(ctx context.Context, g group, o options, rows chan<- row) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the own program: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, g.limit)
	defer cancel()
	command := exec.CommandContext(ctx, self, "--bed", g.name, "--envoy", o.envoy, "--python", o.python, "--webhook", o.webhook, fmt.Sprintf("--short=%t", o.short))
	// What a bed starts ends with it: its first process is the init of a
	// process namespace.
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	var complaint bytes.Buffer
	command.Stderr = &complaint
	stdout, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting a bed, which needs root: %w", err)
	}
	decoder := json.NewDecoder(stdout)
	for {
		var r row
		if err := decoder.Decode(&r); err != nil {
			break
		}
		rows <- r
	}
	if err := command.Wait(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("not done after %s", g.limit)
		}
		return fmt.Errorf("%w: %s", err, lastLines(complaint.String(), 20))
	}
	return nil
}

// table collects the rows of all beds.
type table struct {
	out io.Writer
	// forgives says that beds share the CPUs. Where these do not suffice, requests
	// may be late whose deadline is short: a group that missed a row meanwhile is
	// shown once more, alone.
	forgives bool

	mu     sync.Mutex
	rows   int
	failed int
	slow   int
	again  []group
}

// starving is the share of the time in which some process waits for a CPU above
// which a row may be missed for that alone.
const starving = 0.5

// take prints the rows of a bed when it is done: rows of beds that run at the
// same time are not mixed. A bed that breaks is a missed row itself.
func (t *table) take(g group, run bedRun) {
	var rows []row
	for r := range run.rows {
		rows = append(rows, r)
	}
	if err := run.problem(); err != nil {
		rows = append(rows, row{What: g.name + ": the rest of the group", Wanted: "runs to its end", Seen: err.Error()})
	}
	if waited := run.waited(); t.forgives && waited > starving && slices.ContainsFunc(rows, row.failed) {
		t.postpone(g, rows, waited)
		return
	}
	t.add(rows...)
}

// postpone prints what a group missed and leaves its rows to another time.
func (t *table) postpone(g group, rows []row, waited float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, "\n%s missed this while processes waited for a CPU %.0f %% of the time, and is shown again alone:\n", g.name, 100*waited)
	for _, r := range rows {
		if r.failed() {
			r.print(t.out)
		}
	}
	fmt.Fprintln(t.out)
	t.again = append(t.again, g)
}

// showAgain shows the groups that were postponed, one after the other. What they
// miss now is missed.
func (t *table) showAgain(start func(group) bedRun) {
	t.forgives = false
	for _, g := range t.again {
		t.take(g, start(g))
	}
}

// add prints and counts rows.
func (t *table) add(rows ...row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range rows {
		r.print(t.out)
		t.rows++
		switch {
		case r.failed():
			t.failed++
		case !r.Met:
			t.slow++
		}
	}
}

// end prints the sum and says whether a row was missed.
func (t *table) end(took time.Duration) error {
	fmt.Fprintf(t.out, "\n%d rows in %s: %d met, %d missed, %d above a target of time or memory\n",
		t.rows, took.Round(time.Second), t.rows-t.failed-t.slow, t.failed, t.slow)
	if t.failed > 0 {
		return fmt.Errorf("%d rows were missed", t.failed)
	}
	if t.rows == 0 {
		return errors.New("no row was shown")
	}
	return nil
}

// lastLines are the last lines of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
