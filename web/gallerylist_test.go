package web_test

const galleryHead = `# Graphs

` + "`GET /api/v1/graph`" + ` answers with a picture: ` + "`format=png`" + ` (the default) or ` + "`format=svg`" + `, the same drawing as text, in which a browser shows the name
of a line under the pointer and text can be searched and copied. A picture is drawn under the query's time limit, and its memory counts against that of
queries. Anything can be put before the path:

` + "```sh" + `
curl -o graph.png 'http://127.0.0.1:7101/api/v1/graph?q=name,starts,:eq,:sum,(,region,),:by'
` + "```" + `

This page shows what the parameters and the words of style do. Its pictures are small (` + "`w=420&h=130`" + `) and drawn from made-up data that a test loads; the test
also holds that every picture here is what its command draws.

| parameter | default | |
| --- | --- | --- |
| ` + "`title`" + ` | | above the picture; ` + "`$name`" + ` stands for a tag that all lines have |
| ` + "`w`, `h`, `layout`, `zoom`" + ` | 700, 300, ` + "`canvas`" + `, 1 | [size](#size); at most 2000 × 1000 at zoom 2, more is cut to that with a notice, and no side of the picture has more than 4096 pixels: what would be larger is drawn at a smaller zoom |
| ` + "`theme`, `palette`, `vision`" + ` | ` + "`light`, `armytage`, `normal`" + ` | [colour](#colour); the palette of the dark theme is ` + "`light24`" + `; lines of earlier data take ` + "`bw`, in the dark theme `lightgray`" + ` |
| ` + "`no_legend`, `no_legend_stats`, `only_graph`" + ` | 0 | [legend](#legend), [plot alone](#plot-alone) |
| ` + "`axis_per_line`" + ` | 0 | [an axis for each line](#an-axis-per-line) |
| ` + "`tz`" + ` | the server's | [time zones](#time-zones), at most five |
| of an axis: ` + "`ylabel`" + ` | | beside it, with tags that all its lines have |
| ` + "`scale`, `l`, `u`, `tick_labels`" + ` | ` + "`linear`, `auto-style`, `auto-style`, `decimal`" + ` | [scales](#scales), [bounds](#bounds), [tick labels](#tick-labels) |
| ` + "`stack`, `o`" + ` | 0 | stacks the lines that have no style; ` + "`scale=log`" + ` where no scale is set |
| ` + "`sort`, `order`, `palette`" + ` | | [order](#order) and [colours](#palettes) of its lines |
| ` + "`heatmap_scale`, `heatmap_l`, `heatmap_u`, `heatmap_palette`, `heatmap_label`" + ` | ` + "`linear`, , , , `heatmap`" + ` | [heat maps](#heat-maps) |

Parameters of an axis may end in its number: ` + "`ylabel.1`" + ` is that of axis 1, ` + "`ylabel`" + ` that of all others. The legend lists at most 50 lines, of several axes each its share. Numbers have the
prefixes n, µ, m, k, M, G, T, P, E.
`

const (
	small   = "w=420&h=130&"
	byLine  = "q=name,starts,:eq,:sum,(,region,),:by"
	strip   = "w=300&h=44&only_graph=1&stack=1&l=0&"
	ones    = "q=1,1,1,1,1,1,1,1,1,1,1,1"
	visions = "w=300&h=44&only_graph=1&stack=1&l=0&palette=armytage&"
)

// gallery is every picture of docs/graphs.md in its order.
var gallery = []picture{
	{"Lines", "line", "Line", "A value is drawn over the step that it covers, so a line is made of stairs; where there is no data there is a gap.",
		small + "q=name,starts,:eq,:sum,(,region,),:by", false},
	{"", "area", "Area", "Filled to zero. With `:alpha` (two hex digits) areas are seen through each other.",
		small + "q=name,starts,:eq,:sum,(,region,),:by,:area,40,:alpha", false},
	{"", "stack", "Stack", "Each on top of those before. `stack=1` stacks all lines that have no style of their own.",
		small + "stack=1&q=name,starts,:eq,:sum,(,region,),:by", false},
	{"", "stack-signs", "", "Values below zero are stacked downwards.",
		small + "stack=1&q=name,backlog,:eq,:sum,(,region,),:by", false},
	{"", "stack-percent", "", "Parts of a whole:",
		small + "q=name,starts,:eq,:sum,(,region,),:by,:pct,:stack", false},
	{"", "vspan", "Vertical span", "The full height wherever a condition holds; here, when errors exceed 50 a minute.",
		small + "q=name,starts,:eq,:sum,name,errors,:eq,:sum,50,:gt,:vspan,40,:alpha,too%20many%20errors,:legend", false},
	{"", "lines-mixed", "Several styles", "Each expression lies over those before it.",
		small + "q=name,starts,:eq,:sum,:area,total,:legend,name,starts,:eq,:max,2,:lw,largest%20region,:legend,4000,:const,f00,:color,limit,:legend", false},
	{"", "lw", "Width and colour", "`:lw` in pixels; `:color` as 3, 6 or 8 hex digits (8 begin with the opacity) or a shade of the theme: `blue1`, `green2`, `gray3`, `orange1`, `purple2`, `red3`.",
		small + "q=name,starts,:eq,:sum,:dup,6h,:offset,0.9,:mul,3,:lw,80ff8000,:color,before,:legend,:swap,blue2,:color,now,:legend", false},
	{"", "gaps", "Gaps and lone values", "A value without neighbours is a dot.",
		small + "q=name,sparse,:eq,:sum", false},

	{"Heat maps", "heatmap", "Heat map", "How many lines had a value in each cell. All heat map lines of an axis are one map.",
		small + "q=name,latency,:eq,(,node,),:by,:heatmap&tick_labels=duration", false},
	{"", "heatmap-line", "", "With a line over it; `heatmap_label` names the map, `heatmap_palette` colours it, the colour of the highest count first.",
		small + "q=name,latency,:eq,(,node,),:by,:heatmap,name,latency,:eq,:avg,000,:color,average,:legend&heatmap_palette=reds&heatmap_label=latency%20of%2040%20nodes&tick_labels=duration", false},
	{"", "heatmap-bounds", "", "`heatmap_l` and `heatmap_u` leave out cells with fewer or more; `heatmap_scale` spreads the colours.",
		small + "q=name,latency,:eq,(,node,),:by,:heatmap&heatmap_l=3&heatmap_scale=log&heatmap_palette=colors:361566,413e95,1978b3,46adbc,8cd1b9&tick_labels=duration", false},
	{"", "heatmap-percentiles", "Percentiles", "The buckets of a percentile timer or distribution, each spread over the values that it counts. Scale `percentile` makes all buckets equally high.",
		small + "q=name,requestLatency,:eq,:percentiles-heatmap&scale=log-linear&tick_labels=duration&theme=dark", false},
	{"", "heatmap-buckets", "", "",
		small + "q=name,requestLatency,:eq,:percentiles-heatmap,name,requestLatency,:eq,(,50,99,),:percentiles,000,:color,2,:lw&scale=percentile&tick_labels=duration&heatmap_palette=oranges", false},

	{"Axes", "axes", "Several axes", "`:axis` 0 to 4; 0 stands at the left. An axis has the colour of its first line, which the hint `ambiguous-multi-y` turns off; where an axis has several lines the legend lists axis by axis.",
		small + "q=name,starts,:eq,:sum,(,region,),:by,:stack,name,errors,:eq,:sum,1,:axis,c00,:color,errors,:legend&ylabel.0=starts&ylabel.1=errors", false},
	{"", "axes-five", "", "",
		small + "q=name,starts,:eq,:sum,starts,:legend,name,errors,:eq,:sum,errors,:legend,1,:axis,name,latency,:eq,:max,latency,:legend,2,:axis,name,heap,:eq,:sum,heap,:legend,3,:axis,name,backlog,:eq,:sum,backlog,:legend,4,:axis&tick_labels.2=duration&tick_labels.3=binary&ylabel.3=bytes&no_legend_stats=1", false},
	{"", "axis-per-line", "An axis per line", "`axis_per_line=1`, for at most five lines without `:axis`.",
		small + "q=name,starts,:eq,:sum,(,region,),:by&axis_per_line=1&no_legend_stats=1", false},
	{"", "axes-plain", "", "`hints=ambiguous-multi-y`:",
		small + "q=name,starts,:eq,:sum,(,region,),:by,name,errors,:eq,:sum,(,region,),:by,1,:axis&hints=ambiguous-multi-y&no_legend=1", false},
	{"", "bounds", "Bounds", "`l` and `u` are numbers, `auto-data` (what the values need) or `auto-style` (the same, with zero for what is filled).",
		small + "q=name,starts,:eq,:sum&l=0&u=5e3&no_legend=1", false},
	{"", "bounds-auto-data", "", "",
		small + "q=name,starts,:eq,:sum,:area&l=auto-data&no_legend=1", false},
	{"", "scale-linear", "Scales", "`scale=linear`", small + "q=name,starts,:eq,:sum,:dup,100,:div,:over,0.1,:mul&no_legend=1&scale=linear", false},
	{"", "scale-log", "", "`scale=log` (also `o=1`): each power of ten has the same height. Where values are not positive it goes through zero.",
		small + "q=name,starts,:eq,:sum,:dup,100,:div,:over,0.1,:mul&no_legend=1&scale=log", false},
	{"", "scale-log-zero", "", "", small + "q=name,backlog,:eq,:sum,(,region,),:by&no_legend=1&scale=log", false},
	{"", "scale-log-linear", "", "`scale=log-linear`: even within each power of ten.",
		small + "q=name,starts,:eq,:sum,:dup,100,:div,:over,0.1,:mul&no_legend=1&scale=log-linear", false},
	{"", "scale-pow2", "", "`scale=pow2`: the square, which shows large values.", small + "q=name,starts,:eq,:sum,:dup,100,:div,:over,0.1,:mul&no_legend=1&scale=pow2", false},
	{"", "scale-sqrt", "", "`scale=sqrt`: the root, which shows small ones.", small + "q=name,starts,:eq,:sum,:dup,100,:div,:over,0.1,:mul&no_legend=1&scale=sqrt", false},
	{"", "ticks-decimal", "Tick labels", "`tick_labels=decimal`", small + "q=name,heap,:eq,(,node,),:by&no_legend=1&tick_labels=decimal", false},
	{"", "ticks-binary", "", "`tick_labels=binary`", small + "q=name,heap,:eq,(,node,),:by&no_legend=1&tick_labels=binary", false},
	{"", "ticks-duration", "", "`tick_labels=duration`: seconds.", small + "q=name,latency,:eq,:max,300,:mul&no_legend=1&tick_labels=duration&l=0", false},
	{"", "ticks-off", "", "`tick_labels=off`", small + "q=name,heap,:eq,(,node,),:by&no_legend=1&tick_labels=off", false},

	{"Time", "zones", "Time zones", "`tz` may be given several times; the first is that of the grid and of dates without a zone.",
		small + "q=name,starts,:eq,:sum,(,region,),:by&tz=UTC&tz=US/Pacific&tz=Asia/Kolkata&no_legend=1", false},
	{"", "day", "A day, and the day before", "",
		small + "s=e-1d&q=name,starts,:eq,:sum,today,:legend,:dup,1d,:offset,:area,40,:alpha,a%20day%20ago,:legend", false},

	{"Legend", "legend-vars", "Text", "`:legend` with variables: tags, and statistics such as `$atlas.max`. `no_legend_stats=1` leaves the table out.",
		small + "q=name,starts,:eq,:sum,(,region,),:by,$region%20up%20to%20$(atlas.max),:legend&no_legend_stats=1", false},
	{"", "legend-many", "", "Nine lines and more are listed side by side where there is room.",
		small + "q=name,latency,:eq,(,node,),:by,$node,:legend&no_legend_stats=1", false},
	{"", "legend-sort", "Order", "`sort` (`legend`, `min`, `max`, `avg`, `count`, `total`, `last`) and `order` go over all lines of an axis; so do the words `:sort` and `:order` over those of an expression, and `:limit` keeps the first.",
		small + "q=name,starts,:eq,:sum,(,region,),:by&sort=max&order=desc", false},
	{"", "legend-off", "None", "`no_legend=1`", small + "q=name,starts,:eq,:sum,(,region,),:by&no_legend=1", false},
	{"", "narrow", "Little room", "Where the picture is narrow some statistics are left out, or they take a row of their own; what does not fit is cut. Where the picture has a height of its own, the statistics give way to the plot, then the rest of the legend.",
		"layout=iw&w=390&h=100&title=Starts%20per%20minute%20of%20every%20region,%20with%20the%20nodes%20that%20serve%20it&q=name,starts,:eq,:sum,(,region,),:by,starts%20of%20region%20$region%20with%20a%20name%20that%20is%20longer%20than%20the%20page%20is%20wide,:legend", false},

	{"Size", "only-graph", "Plot alone", "`only_graph=1`", "w=300&h=60&only_graph=1&q=name,starts,:eq,:sum,(,region,),:by", false},
	{"", "layout-image", "Layout", "`w` and `h` (at most 2000 and 1000) are the size of the plot with `layout=canvas`, of the picture with `image`; `iw` has the width of the picture and the height of the plot, `ih` the other way round.",
		"layout=image&w=420&h=200&title=layout%3Dimage&q=name,starts,:eq,:sum", false},
	{"", "layout-image-low", "", "", "layout=image&w=420&h=120&title=layout%3Dimage&q=name,starts,:eq,:sum,(,region,),:by", false},
	{"", "layout-iw", "", "", "layout=iw&w=420&h=100&title=layout%3Diw&q=name,starts,:eq,:sum", false},
	{"", "zoom", "Zoom", "`zoom` from 0.1 to 2 makes everything larger or smaller; more than 2 is drawn as 2.", "w=300&h=80&zoom=1.5&no_legend=1&q=name,starts,:eq,:sum", false},

	{"Colour", "dark", "Dark theme", "`theme=dark`", small + "q=name,starts,:eq,:sum,(,region,),:by&theme=dark&title=Starts&ylabel=starts", false},
	{"", "palette-armytage", "Palettes", "`palette`: `armytage` is the default of the light theme, `light24` that of the dark one.", strip + ones + ",1,1,1,1,1,1,1,1,1,1,1,1&palette=armytage", false},
	{"", "palette-light24", "", "", strip + ones + ",1,1,1,1,1,1,1,1,1,1,1,1&palette=light24&theme=dark", false},
	{"", "palette-dark24", "", "", strip + ones + ",1,1,1,1,1,1,1,1,1,1,1,1&palette=dark24", false},
	{"", "palette-safe", "", "`safe` (or `colorblind`) keeps its colours apart for colour-blind eyes.", strip + "q=1,1,1,1,1,1,1&palette=safe", false},
	{"", "palette-epic", "", "", strip + ones + "&palette=epic", false},
	{"", "palette-reds", "", "", strip + "q=1,1,1,1,1,1,1&palette=reds", false},
	{"", "palette-oranges", "", "", strip + "q=1,1,1,1,1,1,1&palette=oranges", false},
	{"", "palette-greens", "", "", strip + "q=1,1,1,1,1,1,1&palette=greens", false},
	{"", "palette-blues", "", "", strip + "q=1,1,1,1,1,1,1&palette=blues", false},
	{"", "palette-purples", "", "", strip + "q=1,1,1,1,1,1,1&palette=purples", false},
	{"", "palette-grays", "", "", strip + "q=1,1,1,1,1,1,1&palette=grays", false},
	{"", "palette-bw", "", "`bw` and, for dark ground, `lightgray` are of lines with `:offset` that have no other palette.", strip + "q=1,1,1,1,1,1,1,1&palette=bw", false},
	{"", "palette-lightgray", "", "", strip + "q=1,1,1,1,1,1,1,1&palette=lightgray&theme=dark", false},
	{"", "palette-custom", "", "A list of one's own, as `colors:` or `(,…,)`:", strip + "q=1,1,1,1,1,1&palette=colors:1a9850,91cf60,d9ef8b,fee08b,fc8d59,d73027", false},
	{"", "palette-hash", "", "`hash:` before a name picks by the text of the legend, so that a line keeps its colour whatever else is shown.", small + "stack=1&no_legend_stats=1&q=name,starts,:eq,:sum,(,region,),:by&palette=hash:armytage", false},
	{"", "palette-axis", "", "One for each axis, or with the word `:palette` one for an expression:",
		small + "q=name,starts,:eq,:sum,(,region,),:by,:stack,name,errors,:eq,:sum,(,region,),:by,1,:axis,2,:lw&palette.0=blues&palette.1=reds&no_legend=1", false},
	{"", "palette-word", "", "", small + "q=name,starts,:eq,:sum,(,region,),:by,greens,:palette,:stack,name,starts,:eq,:max,f00,:color&no_legend=1", false},
	{"", "vision-normal", "Colour blindness", "`vision` shows what others see: `normal`, `protanopia`, `protanomaly`, `deuteranopia`, `deuteranomaly`, `tritanopia`, `tritanomaly`, `achromatopsia`, `achromatomaly`, in this order:", visions + ones + "&vision=normal", false},
	{"", "vision-protanopia", "", "", visions + ones + "&vision=protanopia", false},
	{"", "vision-protanomaly", "", "", visions + ones + "&vision=protanomaly", false},
	{"", "vision-deuteranopia", "", "", visions + ones + "&vision=deuteranopia", false},
	{"", "vision-deuteranomaly", "", "", visions + ones + "&vision=deuteranomaly", false},
	{"", "vision-tritanopia", "", "", visions + ones + "&vision=tritanopia", false},
	{"", "vision-tritanomaly", "", "", visions + ones + "&vision=tritanomaly", false},
	{"", "vision-achromatopsia", "", "", visions + ones + "&vision=achromatopsia", false},
	{"", "vision-achromatomaly", "", "", visions + ones + "&vision=achromatomaly", false},

	{"Words below", "notices", "Notices", "What a reader has to know stands below the legend.",
		small + "q=name,starts,:eq,:sum,(,region,),:by,name,errors,:eq,:sum,(,region,),:by&axis_per_line=1&no_legend=1", false},
	{"", "empty", "No data", "", small + "q=name,nothing,:eq,(,node,),:by&title=Nothing%20here", false},
	{"", "error", "Errors", "A browser that asks for a picture, in a page or as one, gets the error drawn, with status 200; scripts and anybody else get JSON and status 400.",
		small + "q=name,starts,:eqq", true},
}
