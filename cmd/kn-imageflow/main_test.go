package main

import (
	"bytes"
	"context"
	"testing"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

// call runs a command line on the clients and returns its exit code and what it prints.
func call(t *testing.T, clients *cluster.Clients, args ...string) (code int, out, wrong string) {
	t.Helper()
	return callUntil(t.Context(), clients, args...)
}

// callUntil is call until ctx ends, as Ctrl-C ends it.
func callUntil(ctx context.Context, clients *cluster.Clients, args ...string) (code int, out, wrong string) {
	var stdout, stderr bytes.Buffer
	o := &options{out: &stdout, errOut: &stderr}
	if clients != nil {
		o.connect = func() (*cluster.Clients, error) { return clients, nil }
	}
	code = run(ctx, o, args)
	return code, stdout.String(), stderr.String()
}

// TestExitCodes: as in kn, a wrong command line says where help is, and every error exits with 1.
func TestExitCodes(t *testing.T) {
	t.Setenv("KUBECONFIG", t.TempDir()+"/none")
	for _, c := range []struct {
		args  []string
		code  int
		wrong string
	}{
		{[]string{"version"}, 0, ""},
		{[]string{"stat"}, 1, "Error: unknown command \"stat\" for \"kn imageflow\"\n\nDid you mean this?\n\tstatus\n\n" +
			"Run 'kn imageflow --help' for usage\n"},
		{[]string{"chain", "delte", "shop"}, 1, "Error: unknown command \"delte\" for \"kn imageflow chain\"\n" +
			"Run 'kn imageflow chain --help' for usage\n"},
		{[]string{"chain"}, 0, ""},
		{[]string{"status", "--colour"}, 1, "Error: unknown flag: --colour\nRun 'kn imageflow status --help' for usage\n"},
		{[]string{"status", "-n", ""}, 1, "Error: --namespace is empty: name the namespace of the deployment\n"},
		{[]string{"status", "--kubeconfig", "/does/not/exist"}, 1, "Error: no cluster is selected: stat /does/not/exist: " +
			"no such file or directory; name one with --kubeconfig and --context\n"},
	} {
		if code, _, wrong := call(t, nil, c.args...); code != c.code || wrong != c.wrong {
			t.Errorf("%q: code %d, %q, want %d, %q", c.args, code, wrong, c.code, c.wrong)
		}
	}
}
