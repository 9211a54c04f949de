// Generates one video with Vercel's AI SDK, as its documentation has it, and prints what came of it as JSON.
//
//     node generate.mjs 6|7 '{"base", "key", "model", "prompt", "image"?, "callback", "headers"?}'

const [version, text] = process.argv.slice(2);
const order = JSON.parse(text);
const { experimental_generateVideo: generateVideo } = await import(`ai-${version}`);
const { createAlibaba } = await import(version === '6' ? 'alibaba-1' : 'alibaba-2');

const statuses = [];
const noting = async (...request) => {
  const response = await fetch(...request);
  statuses.push(response.status);
  return response;
};

const alibaba = createAlibaba({ videoBaseURL: order.base, apiKey: order.key, fetch: noting });
const pace = version === '6' ? { providerOptions: { alibaba: { pollIntervalMs: 300 } } } : { poll: { intervalMs: 300 } };
// The SDK itself downloads from no address on loopback.
const download = async ({ url }) => {
  const response = await fetch(url);
  return { data: new Uint8Array(await response.arrayBuffer()), mediaType: undefined };
};

try {
  const { video, providerMetadata } = await generateVideo({
    model: alibaba.video(order.model),
    prompt: order.image ? { image: Buffer.from(order.image, 'base64'), text: order.prompt } : order.prompt,
    duration: 5,
    headers: { 'X-Callback-Url': order.callback, ...order.headers },
    download,
    ...pace,
  });
  const { taskId, videoUrl, usage } = providerMetadata.alibaba;
  console.log(JSON.stringify({ taskId, videoUrl, usage, bytes: video.uint8Array.length, statuses }));
} catch (error) {
  console.log(JSON.stringify({ error: error.message, statuses }));
}
