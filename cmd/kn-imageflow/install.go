package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"imageflow.dev/cmd/kn-imageflow/internal/overlay"
)

const installHelp = `Apply a kustomize overlay, such as config/overlays/production, to the cluster by server-side apply, and wait
until its Services, Brokers and Triggers are ready and its Jobs are complete. A Job that differs is replaced, since
Kubernetes allows no change of a Job. The secrets must exist: see config/README.md. It fails if an object is refused or
is not ready in time. It may run again at any time. While the API server or a webhook of the cluster does not answer, as on a
fresh cluster, an object is applied again until the time of --wait is over.`

// fieldManager owns the fields that install sets.
const fieldManager = "kn-imageflow"

// installFlags are the flags of the command install.
type installFlags struct {
	images []string
	force  bool
	wait   time.Duration
}

func newInstall(o *options) *cobra.Command {
	f := &installFlags{}
	c := &cobra.Command{
		Use:   "install OVERLAY",
		Short: "Apply an overlay to the cluster and wait until it is ready",
		Long:  installHelp,
		Example: `  kn imageflow install config/overlays/production
  kn imageflow install config/overlays/test --image dev.local/imageflow=dev.local/imageflow:v1`,
		Args: cobra.ExactArgs(1),
	}
	addImages(c, &f.images)
	c.Flags().BoolVar(&f.force, "force-conflicts", false, "take over fields that others, such as kubectl apply, have set")
	c.Flags().DurationVar(&f.wait, "wait", 5*time.Minute, "maximum `time` to wait until all is applied and ready; 0 does not wait")
	c.RunE = func(c *cobra.Command, args []string) error {
		objects, err := overlay.Build(args[0], f.images)
		if err != nil {
			return &failure{err}
		}
		to, err := o.applier()
		if err != nil {
			return &failure{err}
		}
		if err := f.install(c.Context(), to, objects, o.out); err != nil {
			return &failure{err}
		}
		return nil
	}
	return c
}

// addImages adds the flag --image to a command.
func addImages(c *cobra.Command, images *[]string) {
	c.Flags().StringArrayVar(images, "image", nil,
		"`image` of the overlay and what replaces it, such as dev.local/imageflow=dev.local/imageflow:v1; repeatable")
}

func (f *installFlags) install(
	ctx context.Context, to *overlay.Applier, objects []*unstructured.Unstructured, out io.Writer,
) error {
	var refused []error
	end := time.Now().Add(f.wait)
	for _, o := range objects {
		options := metav1.ApplyOptions{FieldManager: fieldManager, Force: f.force}
		change, err := to.ApplyUntil(ctx, end, o, options, func(reason error) {
			fmt.Fprintf(out, "%s: is applied again, since the cluster could not answer: %v\n", overlay.Name(o), reason)
		})
		if apierrors.IsConflict(err) {
			err = fmt.Errorf("%w; --force-conflicts takes the fields over", err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			refused = append(refused, fmt.Errorf("%s: %w", overlay.Name(o), err))
			continue
		}
		fmt.Fprintf(out, "%s %s\n", overlay.Name(o), change)
	}
	if len(refused) > 0 {
		return errors.Join(refused...)
	}
	if f.wait == 0 {
		return nil
	}
	return to.Wait(ctx, time.Until(end), objects, out)
}
