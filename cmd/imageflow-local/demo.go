package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// demoTimeout limits the chain of the image that is sent at the start.
const demoTimeout = 2 * time.Minute

// show uploads an image, waits until its chain has ended, and prints a report.
func show(ctx context.Context, out io.Writer, s *settings, system *system, terminal *terminal) error {
	data, err := os.ReadFile(s.image)
	if err != nil {
		return err
	}
	key := "uploads/" + filepath.Base(s.image)
	id := execution.ID(key)
	terminal.follow(id)
	fmt.Fprintf(out, "%s → s3://%s/%s\n", s.image, s.bucket, key)
	start := time.Now()
	contentType := mime.TypeByExtension(filepath.Ext(key))
	if _, err := system.store.Put(ctx, s.bucket, key, contentType, data, nil); err != nil {
		return err
	}
	stored := time.Since(start)
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	if err := awaitOutcome(ctx, system.store, s.bucket, key); err != nil {
		return err
	}
	took := time.Since(start)
	time.Sleep(100 * time.Millisecond) // the event of the last step may arrive after the tag
	return report(ctx, out, s, system, terminal.steps(id), stored, took)
}

// awaitOutcome waits for the tag that ends a chain.
func awaitOutcome(ctx context.Context, store *objects.Store, bucket, key string) error {
	for {
		info, err := store.Stat(ctx, bucket, key)
		if err != nil {
			return err
		}
		tags, err := store.Tags(ctx, bucket, key)
		if err != nil {
			return err
		}
		switch execution.Outcome(info, tags) {
		case execution.StatusCompleted:
			return nil
		case execution.StatusFailed:
			return errors.New("the chain failed; a dead letter contains the reason")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the chain did not end: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// report prints the outputs, the time of each step and the detections.
func report(ctx context.Context, out io.Writer, s *settings, system *system, steps []step, stored, took time.Duration) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "\nstep\ttime\tqueue\tfetch\tapply\tstore\toutput\n")
	fmt.Fprintf(table, "upload\t%.0f ms\t\t\t\t\t\n", milliseconds(stored))
	for _, step := range steps {
		image := step.result.GetOutputImage()
		stage := func(name string) string { return events.StageTime(name).Get(step.result) }
		fmt.Fprintf(table, "%s\t%.0f ms\t%s\t%s\t%s\t%s\t%s\n", step.name, 1000*step.result.GetProcessingTimeSeconds(),
			stage("queue"), stage("fetch"), stage("apply"), stage("store"),
			filepath.Join(system.s3.Path(image.GetBucket()), filepath.FromSlash(image.GetObjectKey())))
	}
	fmt.Fprintf(table, "whole chain\t%.0f ms\t\t\t\t\t\n", milliseconds(took))
	if err := table.Flush(); err != nil {
		return err
	}
	for _, step := range steps {
		if key := events.SideCar.Get(step.result); step.name == "detect" && key != "" {
			return detections(ctx, out, system.store, s.bucket, key)
		}
	}
	return nil
}

// detections prints a detection side-car as a table.
func detections(ctx context.Context, out io.Writer, store *objects.Store, bucket, key string) error {
	text, _, err := store.Get(ctx, bucket, key, "", 16<<20)
	if err != nil {
		return err
	}
	found := &imageflowv1.DetectionResponse{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, found); err != nil {
		return err
	}
	if len(found.GetDetections()) == 0 {
		fmt.Fprintln(out, "\nno objects detected")
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "\nobject\tconfidence\tx1\ty1\tx2\ty2\n")
	for _, d := range found.GetDetections() {
		box := d.GetBbox()
		fmt.Fprintf(table, "%s\t%.2f\t%.0f\t%.0f\t%.0f\t%.0f\n", d.GetClassName(), d.GetConfidence(),
			box.GetX1(), box.GetY1(), box.GetX2(), box.GetY2())
	}
	return table.Flush()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
