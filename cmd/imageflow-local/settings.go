package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/triggers"
)

// settings of local mode.
type settings struct {
	data, models, library string
	eventing              *folders
	manifests             []triggers.File // of eventing, when local mode started
	image                 string
	host, bucket          string
	buckets               string
	accessKey, secretKey  string
	verbose               bool
	signing               role.Signing
	ports                 map[string]*int
	telemetry             role.Telemetry
	presets               role.PresetsFile
	images                role.Images
	guard                 guard
}

// listener is a part that has a port of its own.
type listener struct {
	name string
	port int
}

// listeners lists every listener, with its default port.
var listeners = func() []listener {
	all := []listener{{"s3", 9000}, {"gateway", 8080}}
	for _, p := range processors.All {
		all = append(all, listener{p.Name, p.LocalPort})
	}
	return append(all, listener{"bridge", 8084}, listener{"broker", 8085}, listener{"notify", 8086}, listener{"metrics", 9095})
}()

// environment has the variables that the usage lists.
type environment struct {
	role.Work
	role.Images
	role.Hooks
	role.Telemetry
}

func parse(args []string, out io.Writer) (*settings, error) {
	s := &settings{ports: map[string]*int{}}
	f := flag.NewFlagSet("imageflow-local", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		fmt.Fprint(out, "Usage: imageflow-local [flags]\n       imageflow-local broker [flags]\n       imageflow-local version\n\n"+
			"Runs all of ImageFlow on this machine. Objects and queue are in one folder.\n\nFlags:\n")
		f.PrintDefaults()
		fmt.Fprint(out, "\nThe environment sets the limits of the processors, signed URLs of images, webhooks, traces and metrics:\n")
		_ = role.Usage(out, &environment{})
	}
	f.StringVar(&s.data, "data", "data", "`folder` of the objects and the queue")
	f.StringVar(&s.models, "models", "functions/detect/model/repository", "`folder` of models: <name>/<version>/model.onnx")
	s.eventing = eventingFlag(f)
	f.StringVar(&s.presets.File, "presets", "", "`file` of presets and pipelines (default $PRESETS_FILE)")
	f.StringVar(&s.library, "onnxruntime", "", "shared library of ONNX Runtime (default $ONNXRUNTIME_LIB)")
	f.StringVar(&s.image, "image", "", "`image` file to send through the chain at the start")
	f.StringVar(&s.host, "host", "127.0.0.1", "address to listen on")
	f.StringVar(&s.bucket, "bucket", "imageflow-files", "bucket of the images")
	f.StringVar(&s.buckets, "buckets", "",
		"additional `buckets`, or bucket/prefix, that calls may read and write, separated by commas; * allows all")
	f.StringVar(&s.accessKey, "access-key", "imageflow", "access key of the S3 server")
	f.StringVar(&s.secretKey, "secret-key", "imageflow-local", "secret key of the S3 server")
	f.BoolVar(&s.signing.AllowUnsigned, "allow-unsigned-events", false,
		"accept events without a signature, such as events sent by hand; needs a loopback address")
	f.BoolVar(&s.verbose, "verbose", false, "log every request")
	for _, l := range listeners {
		s.ports[l.name] = f.Int(l.name+"-port", l.port, "`port` of "+l.name+"; 0 chooses a free port")
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; see --help", f.Arg(0))
	}
	return s, errors.Join(s.checkUnsigned(), s.loadPresets(), s.makePathsAbsolute(), s.choosePorts(),
		role.Load(&s.telemetry), s.telemetry.Validate(), role.Load(&s.images), s.setGuard())
}

// checkUnsigned rejects --allow-unsigned-events on an address that other machines
// reach.
func (s *settings) checkUnsigned() error {
	ip := net.ParseIP(s.host)
	if s.signing.AllowUnsigned && s.host != "localhost" && !ip.IsLoopback() {
		return fmt.Errorf("--allow-unsigned-events needs a loopback address, but --host is %q", s.host)
	}
	return nil
}

// allowed returns the buckets that calls may use: those of the environment or, if it names none, those of local mode.
func (s *settings) allowed(named objects.AllowList) objects.AllowList {
	if len(named) > 0 {
		return named
	}
	if s.buckets == "" {
		return []string{s.bucket}
	}
	return append([]string{s.bucket}, strings.Split(s.buckets, ",")...)
}

// setGuard guards every port against web pages, except the pages that the gateway's
// CORS_ALLOW_ORIGINS allows.
func (s *settings) setGuard() error {
	var allowed struct {
		Origins []string `envconfig:"CORS_ALLOW_ORIGINS"`
	}
	err := role.Load(&allowed)
	s.guard = guard{s.host, allowed.Origins}
	s.telemetry.Guard = s.guard.wrap
	return err
}

// loadPresets reads the name of the presets from the environment, unless there is a flag.
func (s *settings) loadPresets() error {
	if s.presets.File != "" {
		return nil
	}
	return role.Load(&s.presets)
}

// makePathsAbsolute makes the paths independent of the working directory, which the
// S3 server changes.
func (s *settings) makePathsAbsolute() (err error) {
	for _, path := range []*string{&s.data, &s.models, &s.library, &s.image, &s.presets.File} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	return nil
}

// choosePorts replaces each port 0 by a free port. All ports must be known before the
// first part starts, since the parts address each other.
func (s *settings) choosePorts() error {
	for _, l := range listeners {
		listener, err := net.Listen("tcp", s.address(l.name))
		if err != nil {
			return fmt.Errorf("port %d for %s is not available (%w); choose another with --%s-port", *s.ports[l.name], l.name, err, l.name)
		}
		*s.ports[l.name] = listener.Addr().(*net.TCPAddr).Port
		defer listener.Close()
	}
	return nil
}

// address returns the host:port of a listener.
func (s *settings) address(name string) string {
	if name == "metrics" {
		return net.JoinHostPort(s.telemetry.MetricsHost, strconv.Itoa(*s.ports[name]))
	}
	return net.JoinHostPort(s.host, strconv.Itoa(*s.ports[name]))
}

// url returns the URL of a listener.
func (s *settings) url(name string) string { return "http://" + s.address(name) }
