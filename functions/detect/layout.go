package detect

import (
	"regexp"
	"slices"
)

// layout is a format of the outputs of detection models.
type layout struct {
	name string
	// outputs are patterns of the names of the outputs that the layout reads, in the order of
	// shapes. Without them it reads the first outputs of the model.
	outputs []*regexp.Regexp
	// shapes are the shapes of the outputs; see hasShape. A bar separates alternatives.
	shapes []string
	// hasCount reports whether the layout produces this number of rows for the model's input;
	// nil means that any number fits.
	hasCount func(rows int64, d *description) bool
	// exactCount means that the output is only readable with that number.
	exactCount bool
	// endToEnd means that the model includes non-maximum suppression.
	endToEnd bool
	// task is the task of the models, if no others have the layout.
	task string
	// neverEmpty means that a trained model returns boxes for every image.
	neverEmpty bool
	// head is the class of the last layer in the metadata of Ultralytics' exports, if only this
	// layer has the layout.
	head string
	format
	// input is the default preprocessing.
	input preprocessing
}

// rtdetrHead is the last layer of RT-DETR.
const rtdetrHead = "RTDETRDecoder"

func named(patterns ...string) (all []*regexp.Regexp) {
	for _, p := range patterns {
		all = append(all, regexp.MustCompile(`(?i)`+p))
	}
	return all
}

// layouts are the supported layouts. A layout with names or with several outputs precedes the
// others: if one fits, the later ones are not tried.
var layouts = slices.Concat(severalOutputs, rowsOfSeven, oneOutput)

// severalOutputs are the layouts that read more than one output.
var severalOutputs = []layout{
	// D-FINE, DEIM and RT-DETRv2: tools/deployment/export_onnx.py of their repositories. Boxes are in
	// pixels of the size in the input orig_target_sizes, which is the input's.
	{
		name: "d-fine", outputs: named("^labels$", "^boxes$", "^scores$"), shapes: []string{"1,K", "1,K,4", "1,K"},
		endToEnd: true, neverEmpty: true, input: dfinePreprocessing,
		format: format{boxes: columns(1, 0, 4), scores: columns(2, 0, 1), classes: columns(0, 0, 1), form: xyxy},
	},
	// RF-DETR: src/rfdetr/export and PostProcess of github.com/roboflow/rf-detr. The column after the last class
	// is unused.
	{
		name: "rf-detr", outputs: named("^(dets|pred_boxes)$", "^(labels|logits)$"), shapes: []string{"1,K,4", "1,K,C|1,K,C+1"},
		endToEnd: true, neverEmpty: true, input: rfdetrPreprocessing,
		format: format{boxes: columns(0, 0, 4), scores: columns(1, 0, 0), form: cxcywh, fractions: true, sigmoid: true},
	},
	// RTMDet and other detectors of MMDetection: mmdeploy/codebase/mmdet.
	{
		name: "mmdet", outputs: named("^dets$", "^labels$"), shapes: []string{"1,K,5", "1,K"}, endToEnd: true,
		input:  rtmdetPreprocessing,
		format: format{boxes: columns(0, 0, 4), scores: columns(0, 4, 5), classes: columns(1, 0, 1), form: xyxy},
	},
	// The plugin EfficientNMS of TensorRT (plugin/efficientNMSPlugin), which exports of YOLOv6, YOLOv7 and
	// MMYOLO use, and the batch format of YOLO-NAS (super_gradients/conversion).
	{
		name: "efficient-nms", outputs: named("num", "box", "score", "class|label"),
		shapes: []string{"1,1|1", "1,K,4", "1,K", "1,K"}, endToEnd: true, input: defaultPreprocessing,
		format: format{
			count: columns(0, 0, 1), boxes: columns(1, 0, 4), scores: columns(2, 0, 1), classes: columns(3, 0, 1), form: xyxy,
		},
	},
	// PP-YOLOE and PicoDet: multiclass_nms of PaddleDetection, deploy/EXPORT_ONNX_MODEL_en.md. Boxes are divided
	// by the input scale_factor, which is 1.
	{
		name: "paddle", shapes: []string{"K,6", "1"}, endToEnd: true, input: paddlePreprocessing,
		format: format{
			classes: columns(0, 0, 1), scores: columns(0, 1, 2), boxes: columns(0, 2, 6), count: columns(1, 0, 1), form: xyxy,
		},
	},
	// YOLO-NAS without postprocessing: NDFLHeads of github.com/Deci-AI/super-gradients
	{
		name: "yolo-nas", shapes: []string{"1,A,4", "1,A,C"}, hasCount: anchors(1), neverEmpty: true, input: defaultPreprocessing,
		format: format{boxes: columns(0, 0, 4), scores: columns(1, 0, 0), form: xyxy},
	},
}

// rowsOfSeven are the layouts of one output of seven columns for all images.
var rowsOfSeven = []layout{
	// YOLO-NAS in the flat format: DetectionOutputFormatMode of github.com/Deci-AI/super-gradients
	{
		name: "yolo-nas-flat", outputs: named("flat"), shapes: []string{"K,7"}, endToEnd: true, input: defaultPreprocessing,
		format: format{
			batch: columns(0, 0, 1), boxes: columns(0, 1, 5), scores: columns(0, 5, 6), classes: columns(0, 6, 7), form: xyxy,
		},
	},
	// YOLOv7 with --end2end --max-wh: ONNX_ORT in models/experimental.py of github.com/WongKinYiu/yolov7
	{
		name: "yolov7-nms", shapes: []string{"K,7"}, endToEnd: true, input: defaultPreprocessing,
		format: format{
			batch: columns(0, 0, 1), boxes: columns(0, 1, 5), classes: columns(0, 5, 6), scores: columns(0, 6, 7), form: xyxy,
		},
	},
}

// oneOutput are the layouts of the first output, whatever its name.
var oneOutput = []layout{
	// x1 y1 x2 y2 confidence class
	{
		name: "end-to-end", shapes: []string{"1,K,6+X"}, endToEnd: true, hasCount: atMostMaxKept, input: defaultPreprocessing,
		format: format{boxes: columns(0, 0, 4), scores: columns(0, 4, 5), classes: columns(0, 5, 6), form: xyxy},
	},
	// cx cy w h, a confidence for each class
	{
		name: "v8", shapes: []string{"1,4+C+X,A"}, input: defaultPreprocessing,
		format: format{boxes: columns(0, 0, 4), scores: columns(0, 4, 0), form: cxcywh, valuesFirst: true},
	},
	// cx cy w h, objectness, a confidence for each class
	{
		name: "v5", shapes: []string{"1,A,5+C+X"}, hasCount: anchors(3), format: objectnessFormat(cxcywh),
		input: defaultPreprocessing,
	},
	// as v5, but cx cy relative to the anchor's cell, w h as logarithms, both in units of the stride
	{
		name: "yolox", shapes: []string{"1,A,5+C"}, hasCount: anchors(1), exactCount: true, format: objectnessFormat(gridded),
		input: yoloxPreprocessing,
	},
	// as v5, the boxes of yolox in pixels
	{
		name: "yolox-decoded", shapes: []string{"1,A,5+C"}, hasCount: anchors(1), neverEmpty: true,
		format: objectnessFormat(cxcywh), input: yoloxPreprocessing,
	},
	// cx cy w h as fractions of the input, a confidence for each class
	{
		name: "rt-detr", shapes: []string{"1,K,4+C"}, endToEnd: true, hasCount: atMostMaxKept, neverEmpty: true, head: rtdetrHead,
		format: format{boxes: columns(0, 0, 4), scores: columns(0, 4, 0), form: cxcywh, fractions: true},
		input:  rtdetrPreprocessing,
	},
	// cx cy w h as fractions of the input, confidence, class
	{
		name: "rt-detr-topk", shapes: []string{"1,K,6"}, endToEnd: true, hasCount: atMostMaxKept, neverEmpty: true, head: rtdetrHead,
		format: format{boxes: columns(0, 0, 4), scores: columns(0, 4, 5), classes: columns(0, 5, 6), form: cxcywh, fractions: true},
		input:  rtdetrPreprocessing,
	},
	// a probability for each class of the whole image: Classify in ultralytics/nn/modules/head.py, and most
	// others, whose values may be logits
	{name: "classify", shapes: []string{"1,C|C"}, endToEnd: true, task: classifyTask, input: classifyPreprocessing},
	// as end-to-end and v8 with cx cy w h, turned by the angle in the last column: the class OBB in
	// ultralytics/nn/modules/head.py
	{
		name: "end-to-end-obb", shapes: []string{"1,K,7"}, endToEnd: true, task: obbTask, hasCount: atMostMaxKept,
		input: defaultPreprocessing,
		format: format{
			boxes: columns(0, 0, 4), scores: columns(0, 4, 5), classes: columns(0, 5, 6), angles: columns(0, -1, 0), form: cxcywh,
		},
	},
	{
		name: "v8-obb", shapes: []string{"1,5+C,A"}, task: obbTask, input: defaultPreprocessing,
		format: format{boxes: columns(0, 0, 4), scores: columns(0, 4, 0), angles: columns(0, -1, 0), form: cxcywh, valuesFirst: true},
	},
}

func objectnessFormat(form boxForm) format {
	return format{boxes: columns(0, 0, 4), objectness: columns(0, 4, 5), scores: columns(0, 5, 0), form: form}
}

// maxKept is well above the number of detections that end-to-end models return,
// and below the number of anchors of the others.
const maxKept = 1000

func atMostMaxKept(rows int64, _ *description) bool { return rows <= maxKept }

// strides are the cell sizes in pixels. Only large models have the last one.
var strides = []int{8, 16, 32, 64}

// anchors returns a check that there are perCell anchors for each cell.
func anchors(perCell int64) func(int64, *description) bool {
	return func(rows int64, d *description) bool {
		cells := func(stride int) int64 { return int64(d.width/stride) * int64(d.height/stride) }
		n := perCell * (cells(8) + cells(16) + cells(32))
		return rows == n || rows == n+perCell*cells(64)
	}
}
