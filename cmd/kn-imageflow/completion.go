package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
	"imageflow.dev/internal/triggers"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// completionTime is how long a shell waits for names.
const completionTime = 3 * time.Second

// maxCompletions is the number of names that a shell is given at most.
const maxCompletions = 200

// addCompletions lets shells complete the names of what there is: the arguments of commands, and flags that have names.
func addCompletions(root *cobra.Command, o *options) {
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	executions, services := completes(o.executionNames), completes(o.serviceNames)
	chains, applied := completes(o.chainNames), completes(o.appliedChains)
	folders := func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	files := func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	}
	for path, f := range map[string]cobra.CompletionFunc{
		"execution describe": executions, "dead-letter replay": completes(o.deadLetterNames),
		"chain describe": chains, "chain apply": applied, "chain delete": applied, "logs": services,
		"install": folders, "diff": folders, "upload": files,
	} {
		if c, _, err := root.Find(strings.Fields(path)); err == nil {
			c.ValidArgsFunction = f
		}
	}
	for path, flags := range map[string][]string{
		"logs": {"execution"}, "execution list": {"prefix"}, "execution watch": {"prefix"},
		"dead-letter list": {"prefix"}, "dead-letter replay": {"execution", "prefix"},
	} {
		c, _, err := root.Find(strings.Fields(path))
		for _, flag := range flags {
			if err == nil {
				_ = c.RegisterFlagCompletionFunc(flag, executions)
			}
		}
	}
}

// completes returns a completion by the names that begin with what was typed.
func completes(names func(ctx context.Context, start string) ([]string, error)) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, stop := context.WithTimeout(c.Context(), completionTime)
		defer stop()
		all, err := names(ctx, start)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError | cobra.ShellCompDirectiveNoFileComp
		}
		var found []string
		for _, name := range all {
			if strings.HasPrefix(name, start) && text.Escape(name) == name { // others cannot be typed
				found = append(found, name)
			}
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// executionNames returns the ids of executions, the newest first.
func (o *options) executionNames(ctx context.Context, start string) (names []string, err error) {
	err = o.asksGateway(func(ctx context.Context, gateway imageflowv1.ExecutionServiceClient, _ []string) error {
		page, err := gateway.ListExecutions(ctx, &imageflowv1.ListExecutionsRequest{Prefix: start, PageSize: maxCompletions})
		for _, e := range page.GetExecutions() {
			names = append(names, e.GetExecutionId())
		}
		return err
	})(ctx, nil)
	return names, err
}

// deadLetterNames returns the ids of dead letters.
func (o *options) deadLetterNames(ctx context.Context, _ string) (names []string, err error) {
	err = o.asksGateway(func(ctx context.Context, gateway imageflowv1.ExecutionServiceClient, _ []string) error {
		letters, err := listDeadLetters(ctx, gateway, &imageflowv1.ListDeadLettersRequest{}, maxCompletions)
		for _, l := range letters {
			names = append(names, l.GetId())
		}
		return err
	})(ctx, nil)
	return names, err
}

// chainNames returns the names of the chains that the Triggers make.
func (o *options) chainNames(ctx context.Context, _ string) (names []string, err error) {
	clients, err := o.clients()
	if err != nil {
		return nil, err
	}
	_, all, err := clients.Triggers(ctx)
	for _, chain := range triggers.Chains(all, nil) {
		names = append(names, chain.Name)
	}
	return names, err
}

// appliedChains returns the names of the chains that chain apply has made.
func (o *options) appliedChains(ctx context.Context, _ string) ([]string, error) {
	clients, err := o.clients()
	if err != nil {
		return nil, err
	}
	all, _, err := clients.Triggers(ctx)
	return appliedNames(all), err
}

// serviceNames returns the names of the Services.
func (o *options) serviceNames(ctx context.Context, _ string) (names []string, err error) {
	clients, err := o.clients()
	if err != nil {
		return nil, err
	}
	services, err := clients.Serving.ServingV1().Services(clients.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, s := range services.Items {
		names = append(names, s.Name)
	}
	return names, nil
}
