//go:build !amd64

package lanes

func widest() Tier { return Plain }

func (Tier) ints([]float64, *Packed) int              { return 0 }
func (Tier) values([]float64, *Packed, *Ratio) int    { return 0 }
func (Tier) addValues([]float64, *Packed, *Ratio) int { return 0 }
func (Tier) sums(_ []float64, _ *Packed, first uint64, _ *Ratio) (int, uint64) {
	return 0, first
}
func (Tier) valuesOf([]float64, *Ratio) bool             { return false }
func (Tier) sumsOf([]float64, uint64, *Ratio) bool       { return false }
func (Tier) doubles([]float64, *Packed, uint) int        { return 0 }
func (Tier) nudge([]float64, *Packed) int                { return 0 }
func (Tier) add(_, _ []float64) bool                     { return false }
func (Tier) addValuesOf(_, _ []float64, _ *Ratio) bool   { return false }
func (Tier) addSame([]float64, float64) bool             { return false }
func (Tier) fill([]float64, float64) bool                { return false }
func (Tier) spread([]float64, []byte, int, float64) bool { return false }

func (Tier) put([]float64, *Exceptions, *Ratio) {}
func (Tier) putInts([]float64, *Exceptions)     {}
