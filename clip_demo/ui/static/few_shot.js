// Saves the figure of the few-shot curve as an image: on white, with a title and a legend.
window.clipExplorer.saveImage = (name) => {
  const plot = document.querySelector("#few-shot-plot .js-plotly-plot");
  const layout = {
    ...plot.layout,
    title: { text: plot.layout.meta, font: { size: 20, color: "#0f172a" }, x: 0.5 },
    legend: { orientation: "h", x: 1, xanchor: "right", y: 1.02, yanchor: "bottom", font: { size: 16, color: "#0f172a" } },
    margin: { ...plot.layout.margin, t: 110 },
    showlegend: true,
    paper_bgcolor: "white",
    plot_bgcolor: "white",
  };
  const filename = name.replace(/\.png$/, "");
  return window.Plotly.downloadImage({ data: plot.data, layout }, { format: "png", width: 1100, height: 640, scale: 2, filename });
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-image]");
  if (button) window.clipExplorer.saveImage(button.dataset.image);
});
