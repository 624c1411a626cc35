package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/decimal"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/encoding"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"pulse/store/block"
)

const blockSize = block.Size

// codec packs blocks of values, NaN where there is none. encode appends to dst and
// says how many bytes count; decode gets as many places as there were values.
type codec struct {
	name   string
	size   int // values of a block
	lossy  bool
	encode func(dst []byte, values []float64) (packed []byte, size int)
	decode func(dst []float64, src []byte) error
}

// codecs returns what is compared; steps is the length of a series.
func codecs(steps int) []codec {
	short, long := victoria{size: blockSize}, victoria{size: steps}
	return []codec{
		{"pulse", blockSize, false, encodePulse, decodePulse},
		{"XOR", blockSize, false, encodeChunk(func() chunkenc.Chunk { return chunkenc.NewXORChunk() }), decodeChunk(chunkenc.EncXOR)},
		{"XOR2", blockSize, false, encodeChunk(func() chunkenc.Chunk { return chunkenc.NewXOR2Chunk() }), decodeChunk(chunkenc.EncXOR2)},
		{"VM", blockSize, true, short.encode, short.decode},
		{fmt.Sprintf("VM, %d a block", steps), steps, true, long.encode, long.decode},
	}
}

func encodePulse(dst []byte, values []float64) ([]byte, int) {
	dst = block.AppendTo(dst, values, step)
	return dst, len(dst)
}

func decodePulse(dst []float64, src []byte) error {
	_, err := block.Decode(dst, src)
	return err
}

// begin is the time of a block's first value, Unix ms.
const begin = 1_700_000_040_000

// encodeChunk packs values with their times into a chunk of Prometheus; a block
// without any value needs none.
func encodeChunk(empty func() chunkenc.Chunk) func(dst []byte, values []float64) ([]byte, int) {
	return func(dst []byte, values []float64) ([]byte, int) {
		c := empty()
		a, err := c.Appender()
		if err != nil {
			panic(err) // only of a chunk that is damaged
		}
		for i, v := range values {
			if !math.IsNaN(v) {
				a.Append(0, begin+int64(i)*step, v)
			}
		}
		if c.NumSamples() == 0 {
			return dst, 0
		}
		dst = append(dst, c.Bytes()...)
		return dst, len(dst)
	}
}

func decodeChunk(e chunkenc.Encoding) func(dst []float64, src []byte) error {
	var it chunkenc.Iterator
	return func(dst []float64, src []byte) error {
		next := 0
		if len(src) > 0 {
			c, err := chunkenc.FromData(e, src)
			if err != nil {
				return err
			}
			it = c.Iterator(it)
			for it.Next() == chunkenc.ValFloat {
				t, v := it.At()
				at := int((t - begin) / step)
				if at < next || at >= len(dst) {
					return fmt.Errorf("a value at %d", t)
				}
				for ; next < at; next++ {
					dst[next] = math.NaN()
				}
				dst[at], next = v, at+1
			}
			if err := it.Err(); err != nil {
				return err
			}
		}
		for ; next < len(dst); next++ {
			dst[next] = math.NaN()
		}
		return nil
	}
}

// victoria packs with the codec of VictoriaMetrics. Its blocks keep what has to be
// known to read them elsewhere; here it stands in front:
//
//	2 values  2 exponent  8 first value  1 type  4 length  values
//	and when some are absent: 8 first time  1 type  times
type victoria struct {
	size     int
	times    []int64
	present  []float64
	integers []int64
}

const (
	headSize   = 17
	victoriaBy = 8 // bytes a block that a header is taken to have
	allBits    = 64
)

func (x *victoria) encode(dst []byte, values []float64) ([]byte, int) {
	x.times, x.present = x.times[:0], x.present[:0]
	for i, v := range values {
		if !math.IsNaN(v) {
			x.times, x.present = append(x.times, begin+int64(i)*step), append(x.present, v)
		}
	}
	if len(x.present) == 0 {
		return dst, 0
	}
	var exponent int16
	x.integers, exponent = decimal.AppendFloatToDecimal(x.integers[:0], x.present)
	dst = append(dst, make([]byte, headSize)...)
	packed, kind, first := encoding.MarshalValues(dst, x.integers, allBits)
	length := len(packed) - headSize
	binary.LittleEndian.PutUint16(packed, uint16(len(x.present)))
	binary.LittleEndian.PutUint16(packed[2:], uint16(exponent))
	binary.LittleEndian.PutUint64(packed[4:], uint64(first))
	packed[12] = byte(kind)
	binary.LittleEndian.PutUint32(packed[13:], uint32(length))
	size := victoriaBy + length
	if len(x.present) < len(values) {
		at := len(packed)
		packed = append(packed, make([]byte, 9)...)
		packed, kind, first = encoding.MarshalTimestamps(packed, x.times, allBits)
		binary.LittleEndian.PutUint64(packed[at:], uint64(first))
		packed[at+8] = byte(kind)
		size += len(packed) - at - 9
	}
	return packed, size
}

func (x *victoria) decode(dst []float64, src []byte) (err error) {
	for i := range dst {
		dst[i] = math.NaN()
	}
	if len(src) == 0 {
		return nil
	}
	n := int(binary.LittleEndian.Uint16(src))
	exponent := int16(binary.LittleEndian.Uint16(src[2:]))
	end := headSize + int(binary.LittleEndian.Uint32(src[13:]))
	x.integers, err = encoding.UnmarshalValues(x.integers[:0], src[headSize:end], encoding.MarshalType(src[12]), int64(binary.LittleEndian.Uint64(src[4:])), n)
	if err != nil {
		return err
	}
	if n == len(dst) {
		decimal.AppendDecimalToFloat(dst[:0], x.integers, exponent)
		return nil
	}
	x.present = decimal.AppendDecimalToFloat(x.present[:0], x.integers, exponent)
	times := src[end:]
	x.times, err = encoding.UnmarshalTimestamps(x.times[:0], times[9:], encoding.MarshalType(times[8]), int64(binary.LittleEndian.Uint64(times)), n)
	if err != nil {
		return err
	}
	for i, t := range x.times {
		at := (t - begin) / step
		if at < 0 || at >= int64(len(dst)) {
			return errors.New("a time outside of the block")
		}
		dst[at] = x.present[i]
	}
	return nil
}
