package healthprobe

import (
	"errors"
	"flag"
	"io"
	"regexp"
	"strings"
	"time"
)

/*
The tool reads its arguments with Go's flag package, so they are read with it
here: one dash or two, -x=v or -x v, booleans with = only, the first word that
is no flag ends them, the last of a repeated flag wins. The flags and what is
checked behind them are those of init in the tool's main.go (v0.4.40), in its
order. Whatever it refuses there, or later before it dials, exits with a
failure each time.
*/

// defaultUserAgent is the tool's own.
const defaultUserAgent = "grpc_health_probe"

// settings are the tool's flags.
type settings struct {
	addr           string
	service        string
	userAgent      string
	connectTimeout time.Duration
	rpcHeaders     int
	rpcTimeout     time.Duration
	tls            bool
	tlsNoVerify    bool
	tlsCACert      string
	tlsClientCert  string
	tlsClientKey   string
	tlsServerName  string
	alts           bool
	version        bool
	gzip           bool
	spiffe         bool
}

// defaults are the settings of a tool without arguments.
func defaults() settings {
	return settings{userAgent: defaultUserAgent, connectTimeout: time.Second, rpcTimeout: time.Second}
}

// flagReader reads arguments into settings. Making its FlagSet costs more than
// reading with it.
type flagReader struct {
	set  *flag.FlagSet
	read settings
}

func newFlagReader() *flagReader {
	r := &flagReader{set: flag.NewFlagSet("", flag.ContinueOnError)}
	r.set.SetOutput(io.Discard)
	r.set.Usage = func() {}
	r.set.StringVar(&r.read.addr, "addr", "", "")
	r.set.StringVar(&r.read.service, "service", "", "")
	r.set.StringVar(&r.read.userAgent, "user-agent", "", "")
	r.set.DurationVar(&r.read.connectTimeout, "connect-timeout", 0, "")
	r.set.Func("rpc-header", "", func(header string) error {
		if !strings.Contains(header, ":") {
			return errors.New("no colon")
		}
		r.read.rpcHeaders++
		return nil
	})
	r.set.DurationVar(&r.read.rpcTimeout, "rpc-timeout", 0, "")
	r.set.BoolVar(&r.read.tls, "tls", false, "")
	r.set.BoolVar(&r.read.tlsNoVerify, "tls-no-verify", false, "")
	r.set.StringVar(&r.read.tlsCACert, "tls-ca-cert", "", "")
	r.set.StringVar(&r.read.tlsClientCert, "tls-client-cert", "", "")
	r.set.StringVar(&r.read.tlsClientKey, "tls-client-key", "", "")
	r.set.StringVar(&r.read.tlsServerName, "tls-server-name", "", "")
	r.set.BoolVar(&r.read.alts, "alts", false, "")
	r.set.Bool("v", false, "")
	r.set.BoolVar(&r.read.version, "version", false, "")
	r.set.BoolVar(&r.read.gzip, "gzip", false, "")
	r.set.BoolVar(&r.read.spiffe, "spiffe", false, "")
	return r
}

// parse reads the tool's arguments. The error says what the tool refuses; it
// never holds a value that could be secret.
func (r *flagReader) parse(args []string) (settings, error) {
	r.read = defaults()
	if err := r.set.Parse(args); err != nil {
		return r.read, refusal(err)
	}
	return r.read, nil
}

// flagName matches what may be repeated of a flag that the tool does not have:
// a value that lost its flag can stand in the same place.
var flagName = regexp.MustCompile(`^[a-z][a-z-]{0,19}$`)

// refusal says in our own words what Go's flag package refused: its text holds
// the value, which may be secret.
func refusal(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return errors.New("-h only prints the usage")
	}
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		if !flagName.MatchString(name) {
			return errors.New("it does not have one of the flags")
		}
		return errors.New("it has no flag -" + name)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return errors.New("-" + name + " has no value")
	}
	_, rest, _ := strings.Cut(text, " for flag -")
	if i := strings.LastIndex(text, " for -"); rest == "" && i >= 0 { // booleans: invalid boolean value "x" for -tls: parse error
		rest = text[i+len(" for -"):]
	}
	name, _, _ := strings.Cut(rest, ":")
	switch name {
	case "connect-timeout", "rpc-timeout":
		return errors.New("-" + name + " is no duration such as 3s")
	case "rpc-header":
		return errors.New("-rpc-header has no colon")
	case "tls", "tls-no-verify", "alts", "v", "version", "gzip", "spiffe":
		return errors.New("-" + name + " is neither true nor false")
	}
	return errors.New("a flag is written in a way it cannot read")
}

// validate checks the settings as the tool does, -version excepted.
func (s settings) validate() error {
	switch {
	case s.addr == "":
		return errors.New("-addr is missing")
	case s.connectTimeout <= 0:
		return errors.New("-connect-timeout is not greater than zero")
	case s.rpcTimeout <= 0:
		return errors.New("-rpc-timeout is not greater than zero")
	case s.alts && s.spiffe:
		return errors.New("-alts and -spiffe exclude each other")
	case s.tls && s.alts:
		return errors.New("-tls and -alts exclude each other")
	case !s.tls && s.tlsNoVerify:
		return errors.New("-tls-no-verify needs -tls")
	case !s.tls && s.tlsCACert != "":
		return errors.New("-tls-ca-cert needs -tls")
	case !s.tls && s.tlsClientCert != "":
		return errors.New("-tls-client-cert needs -tls")
	case !s.tls && s.tlsServerName != "":
		return errors.New("-tls-server-name needs -tls")
	case s.tlsClientCert != "" && s.tlsClientKey == "":
		return errors.New("-tls-client-cert needs -tls-client-key")
	case s.tlsClientCert == "" && s.tlsClientKey != "":
		return errors.New("-tls-client-key needs -tls-client-cert")
	case s.tlsNoVerify && s.tlsCACert != "":
		return errors.New("-tls-ca-cert and -tls-no-verify exclude each other")
	case s.tlsNoVerify && s.tlsServerName != "":
		return errors.New("-tls-server-name and -tls-no-verify exclude each other")
	case s.tls && s.spiffe:
		return errors.New("-tls and -spiffe exclude each other")
	}
	return nil
}

// budget is the longest that the tool takes: it dials for at most
// connect-timeout and then calls for at most rpc-timeout.
func (s settings) budget() time.Duration {
	if sum := s.connectTimeout + s.rpcTimeout; sum > 0 {
		return sum
	}
	return 1<<63 - 1 // the sum does not fit
}
