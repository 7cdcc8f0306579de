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
		if e := find(t, s, l, execution.ID(key)); e.State != execution.Pending || e.Source == nil {
			t.Errorf("found %+v", e)
		}
	})
}
