package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChain_writesWhatTheExampleHas removes the leaves from the example with branches and lets the command
// write them again.
func TestChain_writesWhatTheExampleHas(t *testing.T) {
	want, err := os.ReadFile("../../eventing/examples/renditions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	head, tail, _ := strings.Cut(string(want), "?of=")
	_, rest, _ := strings.Cut(tail, "\n")
	dir := t.TempDir()
	file := filepath.Join(dir, "renditions.yaml")
	if err := os.WriteFile(file, []byte(head+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := chain(t.Context(), []string{dir}, &out); err != nil || !strings.Contains(out.String(), "?of=resize-small.webp,") {
		t.Errorf("%v, %s", err, &out)
	}
	if err := chain(t.Context(), []string{"--write", dir}, &out); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != string(want) {
		t.Errorf("the file is now %s, %v", got, err)
	}
}

func TestChain_reportsWhatIsWrong(t *testing.T) {
	var out strings.Builder
	if err := chain(t.Context(), []string{"../../eventing", "../../eventing/examples"}, &out); err != nil ||
		!strings.Contains(out.String(), "chain-4-completed: completed by filter\n") ||
		!strings.Contains(out.String(), "renditions-6-completed: waits for resize-small.webp,") {
		t.Errorf("%v, %s", err, &out)
	}
	text, err := os.ReadFile("../../eventing/examples/renditions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for change, says := range map[[2]string]string{
		{"variant=medium", "variant=small"}:         "resize-small twice",
		{",detect,filter", ",detect"}:               "",
		{",detect,filter", ",detect,tiny"}:          `"tiny" is no step`,
		{"resize-large.webp,", "resize-large.png,"}: "no Trigger makes resize-large.png",
	} {
		dir := t.TempDir()
		changed := strings.Replace(string(text), change[0], change[1], 1)
		if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		out.Reset()
		err := chain(t.Context(), []string{dir}, &out)
		if (err != nil) != (says != "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", change, err)
		}
		if says == "" && !strings.Contains(out.String(), "it does not wait for filter\n") {
			t.Errorf("%q: %s", change, &out)
		}
	}
	if err := chain(t.Context(), []string{t.TempDir()}, &out); err == nil {
		t.Error("a folder without Triggers is accepted")
	}
}

// chainOfPresets is a Trigger whose preset has a further output, a pipeline, and the end of both.
const chainOfPresets = `
kind: Trigger
metadata: {name: thumb}
spec:
  filters: [{prefix: {type: "com.amazonaws.s3.ObjectCreated:", subject: in/}}]
  subscriber: {ref: {kind: Service, name: resize-grpc-service}, uri: "/?preset=thumb"}
---
kind: Trigger
metadata: {name: sharp}
spec:
  filters: [{prefix: {type: "com.amazonaws.s3.ObjectCreated:", subject: in/}}]
  subscriber: {ref: {kind: Service, name: grpc-gateway}, uri: "/?pipeline=sharp"}
---
kind: Trigger
metadata: {name: end}
spec:
  filters: [{prefix: {type: dev.imageflow., subject: in/}}]
  subscriber: {ref: {kind: Service, name: bridge}, uri: "/completed"}
`

const presetsOfChain = `
presets:
  thumb: {resize: {target_width: 150, target_height: 150, renditions: [{variant: tiny, target_width: 50, target_height: 50}]}}
pipelines:
  sharp: [{filter: {filter_type: FILTER_TYPE_SHARPEN, intensity: 1}}]
`

// TestChain_presets: with the file, the outputs of pipelines are ends of branches; no Trigger needs to wait for renditions.
func TestChain_presets(t *testing.T) {
	folder, file := t.TempDir(), filepath.Join(t.TempDir(), "presets.yaml")
	err := os.WriteFile(filepath.Join(folder, "chain.yaml"), []byte(chainOfPresets), 0o600)
	if err = errors.Join(err, os.WriteFile(file, []byte(presetsOfChain), 0o600)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = chain(t.Context(), []string{folder}, &out)
	for _, want := range []string{`there is no "sharp"`, `there is no "thumb"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without the file: %v, want %s", err, want)
		}
	}
	for _, args := range [][]string{{"--presets", file, folder}, {folder}} {
		out.Reset()
		if err := chain(t.Context(), args, &out); err != nil || !strings.Contains(out.String(), "?of=resize,filter\n") {
			t.Errorf("%q: %v, %s", args, err, &out)
		}
		t.Setenv("PRESETS_FILE", file)
	}
}
