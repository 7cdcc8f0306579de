package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"
	"imageflow.dev/cmd/internal/version"
	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
	"imageflow.dev/cmd/kn-imageflow/internal/overlay"
)

// options are the flags of all commands and what they share.
type options struct {
	// out and errOut are for people: run lets them escape what a terminal would obey.
	out, errOut io.Writer
	// data is for programs: what is written to out, as it is.
	data    io.Writer
	cluster cluster.Selection
	gateway string
	// connect replaces the connection to the cluster; nil means the selected one.
	connect func() (*cluster.Clients, error)
	// settling is how long Triggers may take to become ready before others are deleted all the same: some never will.
	settling time.Duration
}

// clients returns the clients of the deployment.
func (o *options) clients() (*cluster.Clients, error) {
	if o.connect != nil {
		return o.connect()
	}
	return o.cluster.Connect()
}

// applier returns what applies objects to the selected cluster.
func (o *options) applier() (*overlay.Applier, error) {
	clients, err := o.clients()
	if err != nil {
		return nil, err
	}
	return overlay.NewApplier(clients.Config)
}

const rootHelp = `Manage ImageFlow: image-processing functions on Knative.

Commands about executions and dead letters ask the gateway, at --gateway or, without it, through a
forwarded port to one of its pods. They send the token in GATEWAY_TOKEN, if it is set.`

func newRoot(o *options) *cobra.Command {
	root := &cobra.Command{
		Use:           "kn-imageflow",
		Short:         "Manage ImageFlow on Knative",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		// kn runs the plugin as "kn imageflow".
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kn imageflow"},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&o.cluster.Namespace, "namespace", "n", "image-processing", "`namespace` of the deployment")
	flags.StringVar(&o.cluster.Kubeconfig, "kubeconfig", "", "`file` of the kubeconfig (default KUBECONFIG, then ~/.kube/config)")
	flags.StringVar(&o.cluster.Context, "context", "", "`context` of the kubeconfig (default its current one)")
	flags.StringVar(&o.gateway, "gateway", "", "`address` of the gateway, such as https://images.example.com "+
		"(default a forwarded port to one of its pods)")
	root.AddCommand(newChain(o), newDeadLetter(o), newDiff(o), newDoctor(o), newExecution(o),
		newInstall(o), newLogs(o), newRun(o), newStatus(o), newUpload(o), newVersion(o))
	addCompletions(root, o)
	return root
}

// group returns a command that only has others below it. An unknown one is an error, as in kn; cobra would print the help.
func group(c *cobra.Command, below ...*cobra.Command) *cobra.Command {
	c.AddCommand(below...)
	c.Args = cobra.NoArgs
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}

func newVersion(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version, the commit and the Go version",
		Example: "  kn imageflow version",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return version.Write(o.out, "kn-imageflow") },
	}
}

// action is what a command does with its arguments.
type action func(ctx context.Context, args []string) error

// runs returns an action for cobra. Its errors are not about the command line.
func runs(do action) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if err := do(c.Context(), args); err != nil {
			return &failure{err}
		}
		return nil
	}
}
