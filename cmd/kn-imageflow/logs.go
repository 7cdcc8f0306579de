package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"knative.dev/serving/pkg/apis/serving"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

const logsHelp = `Print the log lines of all pods of a deployment, or of the given Services, in the order of their time.
Each line begins with the name of its Service. The lines of Knative's queue-proxy are left out.`

// logsFlags are the flags of the command logs.
type logsFlags struct {
	follow    bool
	since     time.Duration
	tail      int64
	execution string
}

func newLogs(o *options) *cobra.Command {
	f := &logsFlags{}
	c := &cobra.Command{
		Use:   "logs [SERVICE...]",
		Short: "Print the logs of a deployment, also of one execution",
		Long:  logsHelp,
		Example: `  kn imageflow logs bridge --since 10m
  kn imageflow logs --execution uploads/cat
  kn imageflow logs -f`,
	}
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on with new lines as they arrive, also of new pods")
	c.Flags().DurationVar(&f.since, "since", 0, "only lines of this last `time`, such as 10m (default all that a node has kept)")
	c.Flags().Int64Var(&f.tail, "tail", 1000, "maximum number of `lines` of each container, before --execution selects")
	c.Flags().StringVar(&f.execution, "execution", "", "only lines about the execution with this `id`, such as uploads/cat")
	c.RunE = func(c *cobra.Command, services []string) error {
		switch {
		case f.tail <= 0:
			return fmt.Errorf("--tail=%d: it must be at least 1", f.tail)
		case f.since < 0:
			return fmt.Errorf("--since=%s: it must not be negative", f.since)
		}
		clients, err := o.clients()
		if err != nil {
			return &failure{err}
		}
		if err := f.print(c.Context(), clients, services, o.out); err != nil {
			return &failure{err}
		}
		return nil
	}
	return c
}

// source is a container whose log is read.
type source struct{ service, pod, container string }

// sources returns the containers of the Services' pods; of all Services if none is named.
func sources(ctx context.Context, c *cluster.Clients, services []string) (all []source, err error) {
	operator := selection.Exists
	if len(services) > 0 {
		operator = selection.In
	}
	wanted, err := labels.NewRequirement(serving.ServiceLabelKey, operator, services)
	if err != nil {
		return nil, err
	}
	pods, err := c.Kube.CoreV1().Pods(c.Namespace).List(ctx, metav1.ListOptions{LabelSelector: wanted.String()})
	if err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	for _, pod := range pods.Items {
		for _, container := range pod.Spec.Containers {
			if container.Name != cluster.QueueProxy && pod.Status.Phase != corev1.PodPending {
				all = append(all, source{pod.Labels[serving.ServiceLabelKey], pod.Name, container.Name})
			}
		}
	}
	if len(all) == 0 {
		of := cmp.Or(strings.Join(services, ", "), "any Service")
		return nil, fmt.Errorf("no pod of %s has started in namespace %s", of, c.Namespace)
	}
	return all, nil
}

// newPods is how often --follow looks for pods that have started.
const newPods = time.Second

// print writes the lines of the Services' pods. What can be read is also written if a pod's log cannot be read.
func (f *logsFlags) print(ctx context.Context, c *cluster.Clients, services []string, out io.Writer) error {
	all, err := sources(ctx, c, services)
	if err != nil {
		return err
	}
	if f.follow {
		return f.followAll(ctx, c, services, all, out)
	}
	var mu sync.Mutex // of lines and errs
	var lines []cluster.LogLine
	var errs []error
	var reading sync.WaitGroup
	for _, s := range all {
		reading.Go(func() {
			err := f.read(ctx, c, s, func(l cluster.LogLine) {
				mu.Lock()
				defer mu.Unlock()
				lines = append(lines, l)
			})
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	reading.Wait()
	slices.SortStableFunc(lines, func(a, b cluster.LogLine) int { return a.At.Compare(b.At) })
	for _, l := range lines {
		fmt.Fprintln(out, l.Text)
	}
	return errors.Join(errs...)
}

// followAll writes the lines of these pods, and of the Services' pods that start meanwhile, as they arrive, until ctx ends. A log
// that cannot be read is reported among the lines.
func (f *logsFlags) followAll(ctx context.Context, c *cluster.Clients, services []string, all []source, out io.Writer) error {
	var mu sync.Mutex // of out
	write := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, line)
	}
	known := map[source]bool{}
	var reading sync.WaitGroup
	defer reading.Wait()
	for {
		for _, s := range all {
			if known[s] {
				continue
			}
			known[s] = true
			reading.Go(func() {
				if err := f.read(ctx, c, s, func(l cluster.LogLine) { write(l.Text) }); err != nil && ctx.Err() == nil {
					write(err.Error())
				}
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(newPods):
		}
		if later, err := sources(ctx, c, services); err == nil { // else there is none now, or the server does not answer now
			all = later
		}
	}
}

// read passes the lines of one container to take.
func (f *logsFlags) read(ctx context.Context, c *cluster.Clients, s source, take func(cluster.LogLine)) error {
	options := &corev1.PodLogOptions{Container: s.container, Follow: f.follow, TailLines: &f.tail, Timestamps: true}
	if f.since > 0 {
		seconds := int64(max(f.since, time.Second) / time.Second)
		options.SinceSeconds = &seconds
	}
	return c.ReadLog(ctx, s.pod, options, func(l cluster.LogLine) {
		if f.execution == "" || isAbout(l.Text, f.execution) {
			take(cluster.LogLine{At: l.At, Text: s.service + " " + l.Text})
		}
	})
}

// isAbout reports whether a log line has the execution.
func isAbout(text, execution string) bool {
	var entry struct{ Execution string }
	return json.Unmarshal([]byte(text), &entry) == nil && entry.Execution == execution
}
