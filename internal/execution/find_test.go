package execution_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// TestFind_completedHasSteps finds executions while they complete: none is completed without its step.
func TestFind_completedHasSteps(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		for i := range 40 {
			id := fmt.Sprintf("completing/%d", i)
			source := put(t, s, id+".jpg", "image/jpeg", id, nil)
			ended := make(chan error, 1)
			go func() {
				metadata := execution.ObjectMetadata(id, bucket, id+"_filter.jpg")
				metadata[execution.StepMetadata], metadata[execution.SourceMetadata] = "filter", source.ETag
				_, err := s.Put(t.Context(), bucket, id+"_filter.jpg", "image/jpeg", []byte("x"), metadata)
				tagged := execution.SetOutcome(t.Context(), s, bucket, source.Key, source.ETag, execution.StatusCompleted)
				ended <- errors.Join(err, tagged)
			}()
			for e := find(t, s, l, id); e.State != execution.Completed || len(e.Steps) == 0; e = find(t, s, l, id) {
				if e.State == execution.Completed {
					t.Fatalf("%s is completed without a step", id)
				}
			}
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestFind_longestKey: an upload whose key is as long as S3 permits has an execution without outputs, since their keys
// would be longer.
func TestFind_longestKey(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		key := strings.Repeat(strings.Repeat("d", 204)+"/", 4) + strings.Repeat("n", 200) + ".png"
		source := put(t, s, key, "image/png", "long", nil)
		if has, err := execution.HasOutput(t.Context(), s, bucket, key, source.ETag); has || err != nil {
			t.Errorf("HasOutput: %v, %v", has, err)
		}
		withoutExtension := key[:len(key)-4] + "nnnn"
		put(t, s, withoutExtension, "image/png", "long", nil)
		for _, key := range []string{key, withoutExtension} {
			if e := find(t, s, l, execution.ID(key)); e.State != execution.Pending || e.Source == nil {
				t.Errorf("found %+v", e)
			}
		}
	})
}

// TestFind_deletedUpload: an upload that is deleted after its execution has completed stays completed; one that is
// replaced, and deleted before the new version has completed, does not.
func TestFind_deletedUpload(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		const id = "deleted/cat"
		run := func(version, step string) (source, made objects.Info) {
			source = put(t, s, id+".jpg", "image/jpeg", version, nil)
			metadata := execution.ObjectMetadata(id, bucket, id+"_"+step+".jpg")
			metadata[execution.StepMetadata], metadata[execution.SourceMetadata] = step, source.ETag
			metadata[execution.OriginMetadata] = source.ETag
			return source, put(t, s, id+"_"+step+".jpg", "image/jpeg", step+" of "+version, metadata)
		}
		source, made := run("v1", "filter")
		if err := execution.SetOutcomeOfUpload(t.Context(), s, made, source); err != nil {
			t.Fatal(err)
		}
		if e := find(t, s, l, id); e.State != execution.Running {
			t.Errorf("before the upload is tagged, it is %v", e.State)
		}
		if err := s.Remove(t.Context(), bucket, source.Key); err != nil {
			t.Fatal(err)
		}
		if e := find(t, s, l, id); e.State != execution.Completed || names(e) != "filter" {
			t.Errorf("after the upload is deleted, it is %v with %s", e.State, names(e))
		}
		tags := map[string]string{execution.StatusTag: execution.StatusFailed} // by somebody else: there is no dead letter
		if err := s.SetTags(t.Context(), bucket, made.Key, made.ETag, tags); err != nil {
			t.Fatal(err)
		}
		if e := find(t, s, l, id); e.State != execution.Failed || names(e) != "filter" {
			t.Errorf("after its output is tagged as failed, it is %v with %s", e.State, names(e))
		}
		second, _ := run("v2", "resize")
		if err := s.Remove(t.Context(), bucket, second.Key); err != nil {
			t.Fatal(err)
		}
		if e := find(t, s, l, id); e.State != execution.Running {
			t.Errorf("after the second version is deleted, it is %v", e.State)
		}
	})
}

// TestFind_deletedAfterAnotherVersionFailed: a version that is uploaded again and completes after another one has failed
// is completed when it is deleted.
func TestFind_deletedAfterAnotherVersionFailed(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		const id = "again/cat"
		source := put(t, s, id+".jpg", "image/jpeg", "good", nil)
		metadata := execution.ObjectMetadata(id, bucket, id+"_resize.jpg")
		metadata[execution.StepMetadata], metadata[execution.SourceMetadata] = "resize", source.ETag
		metadata[execution.OriginMetadata] = source.ETag
		made := put(t, s, id+"_resize.jpg", "image/jpeg", "resized", metadata)
		complete := func() {
			if err := execution.SetOutcomeOfUpload(t.Context(), s, made, source); err != nil {
				t.Fatal(err)
			}
		}
		complete()
		broken := put(t, s, id+".jpg", "image/jpeg", "broken", nil)
		keep(t, l, &execution.DeadLetter{
			Bucket: bucket, Key: broken.Key, ETag: broken.ETag, Execution: id, Step: "resize", EventID: "2",
		})
		if err := s.Remove(t.Context(), bucket, broken.Key); err != nil {
			t.Fatal(err)
		}
		if e := find(t, s, l, id); e.State != execution.Failed || len(e.Steps) != 0 {
			t.Errorf("after the broken version is deleted, it is %v with the steps %s", e.State, names(e))
		}
		complete()
		if e := find(t, s, l, id); e.State != execution.Completed {
			t.Errorf("after the good version is deleted, it is %v", e.State)
		}
	})
}

// TestFind_order: steps are in the order of the chain, whatever the times of their outputs.
func TestFind_order(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		resized := output(t, s, "cat", "resize", "gone", "resized")
		detected := output(t, s, "cat", "detect", resized.ETag, "resized") // without boxes, an output equals its input
		output(t, s, "cat", "filter", detected.ETag, "filtered")
		output(t, s, "cat", "detect", resized.ETag, "resized")
		output(t, s, "cat", "resize", "gone", "resized")
		if e := find(t, s, l, "cat"); names(e) != "resize detect filter" {
			t.Errorf("the steps are %s", names(e))
		}
		source := put(t, s, "dog.jpg", "image/jpeg", "small", nil)
		for step, input := range map[string]string{"resize": "", "detect": "_resize.jpg", "filter": "_detect.jpg"} {
			metadata := execution.ObjectMetadata("dog", bucket, "dog_"+step+".jpg")
			metadata[execution.StepMetadata] = step
			metadata[execution.SourceMetadata], metadata[execution.OriginMetadata] = source.ETag, source.ETag
			if input != "" {
				metadata[execution.InputMetadata] = input
			}
			put(t, s, "dog_"+step+".jpg", "image/jpeg", "small", metadata)
		}
		if e := find(t, s, l, "dog"); names(e) != "resize detect filter" {
			t.Errorf("the steps of an upload that equals its outputs are %s", names(e))
		}
	})
}

// TestFind_replacedInputs: outputs of a completed execution stay its steps if the image that they were made from is replaced
// by another one of the same upload, or deleted; those of another version of the upload do not.
func TestFind_replacedInputs(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		const id = "inputs/cat"
		source := put(t, s, id+".jpg", "image/jpeg", "upload", nil)
		write := func(step, from, origin, content string) objects.Info {
			metadata := execution.ObjectMetadata(id, bucket, id+"_"+step+".jpg")
			metadata[execution.StepMetadata], metadata[execution.SourceMetadata] = step, from
			metadata[execution.OriginMetadata] = origin
			return put(t, s, id+"_"+step+".jpg", "image/jpeg", content, metadata)
		}
		resized := write("resize", source.ETag, source.ETag, "resized")
		detected := write("detect", resized.ETag, source.ETag, "detected")
		write("filter", detected.ETag, source.ETag, "filtered")
		write("blur", "another upload's output", "another upload", "blurred")
		if err := execution.SetOutcome(t.Context(), s, bucket, source.Key, source.ETag, execution.StatusCompleted); err != nil {
			t.Fatal(err)
		}
		write("resize", source.ETag, "", "resized once more, by a caller")
		if e := find(t, s, l, id); e.State != execution.Completed || names(e) != "resize detect filter" {
			t.Errorf("after the first output was replaced, it is %v with %s", e.State, names(e))
		}
		if err := s.Remove(t.Context(), bucket, resized.Key); err != nil {
			t.Fatal(err)
		}
		if e := find(t, s, l, id); e.State != execution.Completed || names(e) != "detect filter" {
			t.Errorf("after the first output was deleted, it is %v with %s", e.State, names(e))
		}
	})
}

// TestFind_replacedSource finds an execution while new versions of its source complete: none is completed without its step.
func TestFind_replacedSource(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		const id, versions = "replaced/cat", 40
		put(t, s, id+".jpg", "image/jpeg", "first", nil)
		ended := make(chan error, 1)
		go func() {
			var errs []error
			for i := range versions {
				source, err := s.Put(t.Context(), bucket, id+".jpg", "image/jpeg", fmt.Append(nil, i), nil)
				metadata := execution.ObjectMetadata(id, bucket, id+"_filter.jpg")
				metadata[execution.StepMetadata], metadata[execution.SourceMetadata] = "filter", source.ETag
				metadata[execution.OriginMetadata] = source.ETag
				_, noOutput := s.Put(t.Context(), bucket, id+"_filter.jpg", "image/jpeg", []byte("x"), metadata)
				tagged := execution.SetOutcome(t.Context(), s, bucket, source.Key, source.ETag, execution.StatusCompleted)
				errs = append(errs, err, noOutput, tagged)
			}
			ended <- errors.Join(errs...)
		}()
		for {
			select {
			case err := <-ended:
				if err != nil {
					t.Fatal(err)
				}
				return
			default:
				if e := find(t, s, l, id); e.State == execution.Completed && len(e.Steps) == 0 {
					t.Fatal("it is completed without a step")
				}
			}
		}
	})
}
