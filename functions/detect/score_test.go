package detect_test

import (
	"cmp"
	"math"
	"slices"
	"testing"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// classScore is the average precision of one class at IoU 0.5, and its mean over IoU
// 0.5, 0.55 to 0.95.
type classScore struct {
	Objects int
	AP50    float64 `json:"ap50"`
	AP      float64 `json:"ap50_95"`
}

// ranked is the confidence of a detection and whether it matches an object.
type ranked struct {
	confidence float32
	right      bool
}

// scoreClass scores the detections in each scene, sorted by descending confidence.
func scoreClass(class int32, scenes []scene, found [][]*imageflowv1.Detection) classScore {
	score := classScore{}
	for _, s := range scenes {
		for _, o := range s.Objects {
			if o.ClassID == class {
				score.Objects++
			}
		}
	}
	for step := range 10 {
		var all []ranked
		for i, s := range scenes {
			mine := slices.DeleteFunc(slices.Clone(found[i]), func(d *imageflowv1.Detection) bool { return d.GetClassId() != class })
			for k, right := range matched(mine, s, 0.5+0.05*float32(step)) {
				all = append(all, ranked{mine[k].GetConfidence(), right})
			}
		}
		ap := averagePrecision(all, score.Objects)
		if step == 0 {
			score.AP50 = ap
		}
		score.AP += ap / 10
	}
	return score
}

// averagePrecision returns the mean, over 101 recalls from 0 to 1, of the highest
// precision at that recall or above, as COCO defines it.
func averagePrecision(found []ranked, objects int) float64 {
	slices.SortStableFunc(found, func(a, b ranked) int { return cmp.Compare(b.confidence, a.confidence) })
	precision, recall, hits := make([]float64, len(found)), make([]float64, len(found)), 0
	for i, f := range found {
		if f.right {
			hits++
		}
		precision[i], recall[i] = float64(hits)/float64(i+1), float64(hits)/float64(objects)
	}
	for i := len(found) - 2; i >= 0; i-- {
		precision[i] = max(precision[i], precision[i+1])
	}
	sum, i := 0.0, 0
	for percent := range 101 {
		for i < len(found) && recall[i] < float64(percent)/100 {
			i++
		}
		if i < len(found) {
			sum += precision[i]
		}
	}
	return sum / 101
}

// TestAveragePrecision compares with values calculated by hand, for two objects.
func TestAveragePrecision(t *testing.T) {
	for name, test := range map[string]struct {
		found []ranked
		want  float64
	}{
		"nothing found":             {nil, 0},
		"both":                      {[]ranked{{0.9, true}, {0.8, true}}, 1},
		"one":                       {[]ranked{{0.9, true}}, 51. / 101},                                       // recalls 0 to 0.5
		"wrong one in between":      {[]ranked{{0.9, true}, {0.8, false}, {0.7, true}}, (51 + 50*2./3) / 101}, // 2 of 3 past 0.5
		"wrong one at the end":      {[]ranked{{0.9, true}, {0.8, true}, {0.1, false}}, 1},
		"wrong one first":           {[]ranked{{0.9, false}, {0.8, true}, {0.7, true}}, 2. / 3}, // 1 of 2 counts as 2 of 3
		"unsorted":                  {[]ranked{{0.7, true}, {0.9, true}, {0.8, false}}, (51 + 50*2./3) / 101},
		"wrong ones more confident": {[]ranked{{0.9, false}, {0.8, false}, {0.7, true}, {0.6, true}}, 0.5},
	} {
		if got := averagePrecision(test.found, 2); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %.4f, want %.4f", name, got, test.want)
		}
	}
}

// TestScoreClass: a box with IoU 0.72 matches its object at five of the ten thresholds,
// where a second box on that object does not match. A box on an object of another
// class never matches.
func TestScoreClass(t *testing.T) {
	one := scene{Objects: []labelledObject{
		{ClassID: 3, X2: 100, Y2: 100}, {ClassID: 1, X1: 200, X2: 300, Y2: 100}, {ClassID: 3, X1: 400, X2: 500, Y2: 100},
	}}
	detection := func(class int32, confidence, x1, x2 float32) *imageflowv1.Detection {
		return &imageflowv1.Detection{ClassId: class, Confidence: confidence, Bbox: &imageflowv1.BoundingBox{X1: x1, X2: x2, Y2: 100}}
	}
	found := []*imageflowv1.Detection{
		detection(1, 0.95, 200, 300), detection(3, 0.9, 0, 72), detection(3, 0.8, 0, 100),
		detection(3, 0.7, 400, 500), detection(3, 0.1, 200, 300),
	}
	const low, high = (51 + 50*2./3) / 101, 2. / 3
	for class, want := range map[int32]classScore{
		1: {Objects: 1, AP50: 1, AP: 1},
		3: {Objects: 2, AP50: low, AP: (low + high) / 2},
		0: {},
	} {
		got := scoreClass(class, []scene{one}, [][]*imageflowv1.Detection{found})
		if got.Objects != want.Objects || math.Abs(got.AP50-want.AP50) > 1e-9 || math.Abs(got.AP-want.AP) > 1e-9 {
			t.Errorf("class %d: %+v, want %+v", class, got, want)
		}
	}
}
