package main

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPageRuleForm: numbers are typed digit by digit, and a change is drawn beside the band in
// force at the same steps, also where there is little history.
func TestPageRuleForm(t *testing.T) {
	p := newTab(t)
	base, _, _ := explored(t)
	putRule(t, base, "low", `{"expr":"name,stock,:eq,:sum","detector":{"kind":"static","below":5}}`)
	p.do("open", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(base+"/rules/low?edit=1"), chromedp.WaitVisible(`#f-detector\.below`))
	p.until("draws", `document.querySelector(".rule-trace .chart").dataset.points > 100`)
	const field = `document.querySelector("#f-detector\\.below")`
	eval[bool](p, `(`+field+`.select(), true)`)
	p.keys("0.250")
	p.until("as it was typed", field+`.value === "0.250" && document.querySelector("#yaml").value.includes("below: 0.25\n")`)
	p.put(`[data-field="detector.below"] [type=range]`, "10")
	p.until("follows the slider", field+`.value !== "0.250" && Number(`+field+`.value) > 0`)
	p.until("the band in force has the steps of the other", `((d) => d.force > 0 && d.force === d.every)(document.querySelector(".rule-trace .chart").dataset)`)
	putRule(t, base, "zero", `{"expr":"name,stock,:eq,:sum,90,:sub","detector":{"kind":"static","below":0}}`)
	p.do("open", chromedp.Navigate(base+"/rules/zero?edit=1"), chromedp.WaitVisible(`#f-detector\.below`))
	p.until("zero is among values from -90 to 10", `((v) => v > 100 && v < 180)(Number(document.querySelector('[data-field="detector.below"] [type=range]').value))`)
	p.quiet()
}
