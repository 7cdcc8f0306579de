package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"imageflow.dev/cmd/kn-imageflow/internal/overlay"
	"imageflow.dev/cmd/kn-imageflow/internal/text"
)

const diffHelp = `Print how install would change the cluster: the objects that it would create or replace, and the changed lines
of the others, as the API server would store them. It changes nothing. It exits with 1 if there is a difference.`

func newDiff(o *options) *cobra.Command {
	var images []string
	c := &cobra.Command{
		Use:     "diff OVERLAY",
		Short:   "Print how install would change the cluster",
		Long:    diffHelp,
		Example: "  kn imageflow diff config/overlays/production",
		Args:    cobra.ExactArgs(1),
	}
	addImages(c, &images)
	c.RunE = func(c *cobra.Command, args []string) error {
		objects, err := overlay.Build(args[0], images)
		if err != nil {
			return &failure{err}
		}
		to, err := o.applier()
		if err != nil {
			return &failure{err}
		}
		if err := diff(c.Context(), to, objects, o.out); err != nil {
			return &failure{err}
		}
		return nil
	}
	return c
}

func diff(ctx context.Context, to *overlay.Applier, objects []*unstructured.Unstructured, out io.Writer) error {
	changed := 0
	var refused []error
	for _, o := range objects {
		changes, err := to.Diff(ctx, o, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
		if err != nil {
			refused = append(refused, fmt.Errorf("%s: %w", overlay.Name(o), err))
		} else if changes != "" {
			changed++
			fmt.Fprint(out, changes)
		}
	}
	if changed > 0 {
		refused = append(refused, fmt.Errorf("of %s, %d differ", text.Count(len(objects), "object"), changed))
	}
	return errors.Join(refused...)
}
