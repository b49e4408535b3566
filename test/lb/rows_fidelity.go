package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// showFidelity compares what the two sides see with what they see in a direct
// call.
func showFidelity(ctx context.Context, b *bed) error {
	_, through, err := b.served(ctx, 1, upstreams(greeterTarget))
	if err != nil {
		return err
	}
	defer hangUp(through)
	direct, err := dial(b.backends[0].port(grpcPort), grpc.WithAuthority(greeterTarget))
	if err != nil {
		return err
	}
	defer hangUp(direct)
	for _, show := range []func(ctx context.Context, direct, through *grpc.ClientConn) error{
		b.showHeaders, b.showManyHeaders, b.showStatuses,
	} {
		if err := show(ctx, direct, through); err != nil {
			return err
		}
	}
	return nil
}

// both is what both sides see of one call.
type both struct {
	answer          *answer
	header, trailer metadata.MD
}

// look makes a call that asks the server what it was sent.
func look(ctx context.Context, connection *grpc.ClientConn, sent metadata.MD) (both, error) {
	var seen both
	const deadline = 5 * time.Second
	ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(ctx, sent), deadline)
	defer cancel()
	var err error
	seen.answer, err = say(ctx, connection, ask{Describe: true}, grpc.Header(&seen.header), grpc.Trailer(&seen.trailer))
	return seen, err
}

// showHeaders compares headers, trailers, deadlines and the authority.
func (b *bed) showHeaders(ctx context.Context, direct, through *grpc.ClientConn) error {
	sent := metadata.Pairs("x-request-id", "kept", "x-twice", "one", "x-twice", "two", "trace-bin", "\x00\x01", "x-forwarded-for", "192.0.2.1")
	want, err := look(ctx, direct, sent)
	if err != nil {
		return err
	}
	got, err := look(ctx, through, sent)
	if err != nil {
		return err
	}
	b.row(differences(want.answer.Headers, got.answer.Headers) == "+x-forwarded-proto", "request headers beside a direct call",
		"the same, and x-forwarded-proto", "difference: %s", differences(want.answer.Headers, got.answer.Headers))
	b.row(differences(want.header, got.header) == "+date", "response headers beside a direct call", "the same, and date", "difference: %s", none(differences(want.header, got.header)))
	b.row(differences(want.trailer, got.trailer) == "" && len(got.trailer) > 0, "trailers beside a direct call", "the same", "difference: %s", none(differences(want.trailer, got.trailer)))
	apart := (want.answer.Deadline - got.answer.Deadline).Abs()
	b.row(got.answer.Deadline > 0 && apart < time.Second, "the deadline that the server is told", "that of a direct call", "%s apart", milliseconds(apart))
	b.row(slices.Equal(got.answer.Headers[":authority"], []string{greeterTarget}), ":authority", greeterTarget, "%v", got.answer.Headers[":authority"])
	return nil
}

// showManyHeaders sends much metadata.
func (b *bed) showManyHeaders(ctx context.Context, direct, through *grpc.ClientConn) error {
	const headers, size = 120, 64 << 10
	sent := metadata.MD{}
	for i := range headers {
		sent.Set(fmt.Sprintf("x-header-%03d", i), strings.Repeat("x", size/headers))
	}
	want, err := look(ctx, direct, sent)
	if err != nil {
		return err
	}
	got, problem := look(ctx, through, sent)
	difference := "no answer"
	if problem == nil {
		difference = differences(want.answer.Headers, got.answer.Headers)
	}
	b.row(difference == "+x-forwarded-proto", "120 headers, 64 KiB of metadata", "arrive as in a direct call", "difference: %s %s", difference, problemText(problem))
	return nil
}

// showStatuses lets the application fail in every way there is.
func (b *bed) showStatuses(ctx context.Context, direct, through *grpc.ClientConn) error {
	var changed []string
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		_, want := say(ctx, direct, ask{Code: uint32(code)})
		_, got := say(ctx, through, ask{Code: uint32(code)})
		if status.Code(want) != code || status.Code(got) != code || status.Convert(want).Message() != status.Convert(got).Message() {
			changed = append(changed, fmt.Sprintf("%s became %v", code, got))
		}
	}
	b.row(len(changed) == 0, "grpc-status and message, all 16 failures", "those of the application", "changed: %s", none(strings.Join(changed, "; ")))
	return nil
}

// differences names what one side has more, less or otherwise.
func differences(want, got map[string][]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(want)) {
		switch {
		case got[key] == nil:
			all = append(all, "-"+key)
		case !slices.Equal(want[key], got[key]) && key != "date" && key != "grpc-timeout":
			all = append(all, fmt.Sprintf("%s %q became %q", key, want[key], got[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if want[key] == nil {
			all = append(all, "+"+key)
		}
	}
	return strings.Join(all, ", ")
}

// none is a text, or that there is none.
func none(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
