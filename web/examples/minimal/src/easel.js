/** Which canvas, where Easel is, and who is looking. */
export const workflowId = new URLSearchParams(location.search).get("canvas");

export const elsewhere = {
  baseUrl: import.meta.env.VITE_EASEL_URL,
  getToken: async () => {
    const answer = await fetch(`/token?canvas=${workflowId}`, { method: "POST" });
    return answer.ok ? (await answer.json()).token : null;
  },
};
