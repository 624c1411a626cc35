package main

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/klauspost/compress/s2"
)

// A protocol appends the body of one request: what a node sends in step k,
// stamped t (Unix ms).
type protocol func(dst []byte, f *fleet, node, k int, t int64) []byte

// appendPublish appends a body of POST /api/v1/publish.
func appendPublish(dst []byte, f *fleet, node, k int, t int64) []byte {
	dst = append(dst, `{"tags":{`...)
	for i, x := range nodeTags(node) {
		dst = appendPair(dst, x, i > 0)
	}
	dst = append(dst, `},"metrics":[`...)
	first := true
	f.each(node, k, func(s *series, v float64) {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = strconv.AppendInt(append(dst, s.json...), t, 10)
		dst = strconv.AppendFloat(append(dst, `,"value":`...), v, 'g', -1, 64)
		dst = append(dst, '}')
	})
	return append(dst, "]}"...)
}

// appendMetric appends the beginning of a metric, with the tags that are not
// its node's.
func appendMetric(dst []byte, s *series) []byte {
	dst = append(dst, `{"tags":{"atlas.dstype":"`...)
	dst = append(append(dst, s.dstype...), '"')
	for _, x := range s.tags {
		if !strings.HasPrefix(x.key, "nf.") {
			dst = appendPair(dst, x, true)
		}
	}
	return append(dst, `},"timestamp":`...)
}

func appendPair(dst []byte, x tag, comma bool) []byte {
	if comma {
		dst = append(dst, ',')
	}
	dst = append(append(append(dst, '"'), x.key...), `":"`...)
	return append(append(dst, x.value...), '"')
}

// each calls do for every series of the node that has a value in step k.
func (f *fleet) each(node, k int, do func(s *series, v float64)) {
	values := f.values[k]
	for i := node * perNode; i < (node+1)*perNode; i++ {
		if v := values[i]; !math.IsNaN(v) {
			do(&f.series[i], v)
		}
	}
}

// label is a key or name as Prometheus allows it.
func label(key string) string {
	if key == "name" {
		return "__name__"
	}
	return strings.ReplaceAll(key, ".", "_")
}

func metricName(name string) string {
	return strings.NewReplacer(".", "_", "-", "_").Replace(name)
}

// appendInflux appends lines of the Influx line protocol with times in ms.
func appendInflux(dst []byte, f *fleet, node, k int, t int64) []byte {
	f.each(node, k, func(s *series, v float64) {
		dst = strconv.AppendFloat(append(dst, s.line...), v, 'g', -1, 64)
		dst = append(strconv.AppendInt(append(dst, ' '), t, 10), '\n')
	})
	return dst
}

// appendLine appends a line's measurement, tags and the key of its one field.
func appendLine(dst []byte, s *series) []byte {
	dst = append(dst, metricName(s.tags[0].value)...)
	for _, x := range s.tags[1:] {
		dst = append(append(append(dst, ','), label(x.key)...), '=')
		dst = append(dst, x.value...)
	}
	return append(dst, " value="...)
}

// appendRemoteWrite appends a WriteRequest of Prometheus remote write 1.0, packed
// with snappy. A message is its fields, each a varint of number·8 + wire type,
// and here mostly type 2: a length and bytes.
func appendRemoteWrite(dst []byte, f *fleet, node, k int, t int64) []byte {
	var request []byte
	f.each(node, k, func(s *series, v float64) {
		var sample [2 + 8 + binary.MaxVarintLen64]byte // Sample: 1 double value, 2 varint timestamp
		sample[0] = 1<<3 | 1
		binary.LittleEndian.PutUint64(sample[1:], math.Float64bits(v))
		sample[9] = 2 << 3
		size := 10 + binary.PutUvarint(sample[10:], uint64(t))
		// TimeSeries: 1 labels, 2 samples.
		request = binary.AppendUvarint(append(request, 1<<3|2), uint64(len(s.proto)+2+size))
		request = append(request, s.proto...)
		request = append(request, 2<<3|2, byte(size))
		request = append(request, sample[:size]...)
	})
	return append(dst, s2.EncodeSnappy(nil, request)...)
}

// appendLabels appends the Labels of a TimeSeries: 1 name, 2 value, sorted by
// name, which they are since "__name__" comes before lower case.
func appendLabels(dst []byte, s *series) []byte {
	for i, x := range s.tags {
		name, value := label(x.key), x.value
		if i == 0 {
			value = metricName(value)
		}
		size := 1 + sizeOf(name) + 1 + sizeOf(value)
		dst = binary.AppendUvarint(append(dst, 1<<3|2), uint64(size))
		dst = appendText(append(dst, 1<<3|2), name)
		dst = appendText(append(dst, 2<<3|2), value)
	}
	return dst
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// sizeOf returns the size of a length and a text.
func sizeOf(text string) int {
	return len(binary.AppendUvarint(nil, uint64(len(text)))) + len(text)
}
